"""The command that repeats a training run, and what has changed since."""

import os
import shlex
from collections.abc import Mapping

from features.files import manifest, storage
from models.inputs.example_set import ExampleSet
from pipeline.runtime import environment
from pipeline.training_runs import run_config, run_folder
from pipeline.training_runs.run_list import ListedRun


def script(listed: ListedRun) -> str:
    """Returns a shell script that trains the same model into `<run>-reproduced`.

    Its comments list the differences that can lead to other weights: code, packages, data, and
    ops that are not deterministic.
    """
    run, folder = listed.run, os.path.abspath(listed.folder)
    lines = [f"# {listed.name}, trained {run.started} with code {_code(run.code)}"]
    lines += [f"# {line}" for line in _differences(listed)]
    directory = f"cd {shlex.quote(run.directory)}"
    arguments = [
        *(text for text in run.arguments if not _is_former_flag(text)),
        f"--config={os.path.join(folder, 'run_config.json')}",
        f"--model_dir={folder}-reproduced",
    ]
    variables = {name: one for name, one in run.variables.items() if name != "TF_CONFIG"}
    command = shlex.join(["python", "-m", "pipeline.train", *arguments])
    prefix = "".join(f"{name}={shlex.quote(one)} " for name, one in variables.items())
    return "\n".join([*lines, directory, prefix + command])


def _differences(listed: ListedRun) -> list[str]:
    run, found = listed.run, []
    here = environment.code()
    patch = os.path.join(os.path.abspath(listed.folder), run_folder.PATCH)
    if run_folder.has_patch(listed.folder):
        found.append(f"The code had changes on top: git apply {shlex.quote(patch)}")
    if here != run.code:
        checkout = f": git checkout {run.code['commit']}" if "commit" in run.code else ""
        found.append(f"The code here is {_code(here)}{checkout}")
    now = environment.versions()
    found += [
        f"{name}: {was} then, {now.get(name, 'absent')} now"
        for name, was in run.environment.items()
        if now.get(name) != was
    ]
    if "TF_CONFIG" in run.variables:
        found.append(f"One of several workers: TF_CONFIG was {run.variables['TF_CONFIG']}")
    if not listed.config["training"]["deterministic"]:
        found.append("training.deterministic was off: weights come close, not bit for bit")
    if problem := _data(run.examples, run.data_fingerprint):
        found.append(problem)
    return found


def _is_former_flag(argument: str) -> bool:
    """Whether an argument is of a former flag, whose value run_config.json holds."""
    name = argument.removeprefix("--").partition("=")[0]
    return name.removeprefix("no") in run_config.FORMER_FLAGS


def _data(folder: str, expected: str) -> str:
    if not storage.is_file(storage.join(folder, manifest.FILE_NAME)):
        return f"The examples are gone from {folder}; their manifest is data_manifest.json"
    found = ExampleSet.open(folder).fingerprint
    return "" if found == expected else f"The examples were {expected} and are now {found}"


def _code(code: Mapping[str, str]) -> str:
    return f"{code['version']}, commit {code.get('commit', 'unknown')}"
