"""The command that repeats a training run, and what has changed since."""

import os
import re
import shlex
from collections.abc import Mapping

from features.errors import UserInputError
from features.files import manifest, storage
from models.inputs.example_set import ExampleSet
from pipeline.runtime import environment, plain_text, shell_text
from pipeline.training_runs import run_config, run_folder
from pipeline.training_runs.run_list import ListedRun

_ARGUMENT = re.compile(r"--(?!flagfile\b)[a-z][a-z0-9_]*(=.*)?", re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{4,64}")


def script(listed: ListedRun) -> str:
    """Returns a shell script that trains the same model into `<run>-reproduced`.

    Its comments list the differences that can lead to other weights: code, packages, data, and
    ops that are not deterministic.
    """
    run, folder = listed.run, os.path.abspath(listed.folder)
    _check(listed)
    comments = [
        f"{listed.name}, trained {run.started} with code {_code(run.code)}",
        *_differences(listed),
    ]
    variables = {name: one for name, one in run.variables.items() if name != "TF_CONFIG"}
    words = [
        *("python", "-m", "pipeline.train"),
        *(text for text in run.arguments if not _is_former_flag(text)),
        f"--config={os.path.join(folder, 'run_config.json')}",
        f"--model_dir={folder}-reproduced",
    ]
    change = ["cd", run.directory]
    lines = [*map(shell_text.comment, comments), shell_text.command(change)]
    text = "\n".join([*lines, shell_text.command(words, variables)])
    assigned = [f"{name}={value}" for name, value in variables.items()]
    shell_text.check(text, [*change, *assigned, *words])
    return text


def _check(listed: ListedRun) -> None:
    """Checks what `run.json` adds to the command: it may be somebody else's.

    Raises:
      UserInputError: it holds what no training records.
    """
    run, where = listed.run, os.path.join(listed.folder, run_folder.FILE_NAME)
    texts = [run.directory, *run.arguments, *run.variables, *run.variables.values()]
    for text in (listed.folder, run.examples, *texts):
        plain_text.check(text, f"{where!r}:")
    wrong = [name for name in run.variables if name not in environment.VARIABLES]
    wrong += [text for text in run.arguments if not _ARGUMENT.fullmatch(text)]
    wrong += [] if os.path.isabs(run.directory) else [run.directory]
    if wrong:
        raise UserInputError(
            f"{where!r} holds {wrong[0]!r:.200}, which no training records: expected an absolute "
            "directory, arguments --FLAG=VALUE, and the variables "
            f"{', '.join(environment.VARIABLES)}. Train with flags of your own instead."
        )


def _differences(listed: ListedRun) -> list[str]:
    run, found = listed.run, []
    here = environment.code()
    patch = os.path.join(os.path.abspath(listed.folder), run_folder.PATCH)
    if run_folder.has_patch(listed.folder):
        found.append(f"The code had changes on top: git apply {shlex.quote(patch)}")
    if here != run.code:
        commit = run.code.get("commit", "")
        checkout = f": git checkout {commit}" if _COMMIT.fullmatch(commit) else ""
        found.append(f"The code here is {_code(here)}{checkout}")
    now = environment.versions()
    found += [
        f"{name}: {was} then, {now.get(name, 'absent')} now"
        for name, was in run.environment.items()
        if now.get(name) != was
    ]
    if "TF_CONFIG" in run.variables:
        found.append(f"One of several workers: TF_CONFIG was {run.variables['TF_CONFIG']}")
    if listed.config["training"].get("deterministic") is not True:
        found.append("training.deterministic was off: weights come close, not bit for bit")
    if problem := _data(run.examples, run.data_fingerprint):
        found.append(problem)
    return found


def _is_former_flag(argument: str) -> bool:
    """Whether an argument is of a former flag, whose value run_config.json holds."""
    name = argument.removeprefix("--").partition("=")[0]
    return name.removeprefix("no") in run_config.FORMER_FLAGS


def _data(folder: str, expected: str) -> str:
    try:
        if not storage.is_file(storage.join(folder, manifest.FILE_NAME)):
            return f"The examples are gone from {folder}; their manifest is data_manifest.json"
        found = ExampleSet.open(folder).fingerprint
    except (UserInputError, OSError) as error:
        return f"The examples cannot be read: {error}"
    return "" if found == expected else f"The examples were {expected} and are now {found}"


def _code(code: Mapping[str, str]) -> str:
    return f"{code.get('version', 'unknown')}, commit {code.get('commit', 'unknown')}"
