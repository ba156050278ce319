"""Whether what a command names exists: module, flags, settings, make targets, files."""

import ast
import dataclasses
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from docs_build import job_flags
from docs_build.code_blocks import Block, commands
from docs_build.pages import REPOSITORY
from features.errors import UserInputError

PACKAGES = ("benchmarks", "docs_build", "features", "models", "pipeline", "serving_signatures")
"""Top folders with modules."""

_FOLDERS = (*PACKAGES, ".ci", "docker", "docs", "requirements", "tests")
# A workspace has folders of these names too: there, only a file with such an ending is ours.
_ALSO_OF_A_WORKSPACE = {"models": (".py",), "examples": (".ipynb", ".sh", ".py", ".md")}
_TARGETS = re.compile(r"^([a-z][a-z ./-]*):(?!=)", re.MULTILINE)
_SCRIPT = re.compile(r'"(dmf-[\w-]+)=([\w.]+):main"')
_PATH = re.compile(r"[\w./-]+")
# Flags that absl gives to every job.
_OF_ALL = {"help", "only_check_args", "flagfile", "v", "verbosity"}
_SUBMIT = "pipeline.submit"


@dataclasses.dataclass(frozen=True)
class _Run:
    """A run of a Python module.

    Attributes:
      place: page and line, for messages.
      module: what runs.
      arguments: what it is given.
    """

    place: str
    module: str
    arguments: tuple[str, ...]


def problems(blocks: Iterable[Block]) -> list[str]:
    """Returns what the blocks name that does not exist, as `page:line: problem`."""
    found: list[str] = []
    runs: list[_Run] = []
    for block in blocks:
        try:
            found += _of_python(block) if block.kind == "python" else _of_shell(block, runs)
        except (SyntaxError, ValueError) as error:
            found.append(f"{block.page}:{block.line}: cannot be read: {error}")
    return found + list(_of_runs(runs))


def exists(module: str) -> bool:
    """Returns whether a module of ours exists."""
    path = REPOSITORY / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def is_missing(path: str) -> bool:
    """Returns whether a text is a path of the repository that does not exist.

    A part of one letter stands for any, as in `tests/a/b/`.
    """
    top, _, rest = path.removeprefix("./").partition("/")
    if not rest or not _PATH.fullmatch(path) or re.search(r"\.\.\.|/\w(/|$)", path):
        return False
    endings = _ALSO_OF_A_WORKSPACE.get(top)
    ours = path.endswith(endings) if endings else top in _FOLDERS
    return ours and not (REPOSITORY / path).exists()


def _of_python(block: Block) -> Iterator[str]:
    for node in ast.walk(ast.parse(block.text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in PACKAGES and not exists(name):
                line = block.line + getattr(node, "lineno", 1) - 1
                yield f"{block.page}:{line}: there is no module {name}"


def _of_shell(block: Block, runs: list[_Run]) -> Iterator[str]:
    """Yields problems, and adds the modules that are run."""
    for command in commands(block.text):
        place = f"{block.page}:{block.line + command.line}"
        words = command.words
        for word in words:
            if is_missing(path := word.rpartition("=")[2].partition("::")[0]):
                yield f"{place}: there is no {path}"
        if words[0] == "make":
            for word in words[1:]:
                if re.fullmatch(r"[a-z][\w-]*", word) and word not in _make_targets():
                    yield f"{place}: there is no `make {word}`"
        for at, word in enumerate(words):
            if word in _scripts():
                runs.append(_Run(place, _scripts()[word], words[at + 1 :]))
            elif word == "-m" and at and Path(words[at - 1]).name.startswith("python"):
                module = words[at + 1] if len(words) > at + 1 else ""
                if module.split(".")[0] not in PACKAGES or module.rpartition(".")[2].isupper():
                    continue  # Not ours, or pipeline.JOB.
                if exists(module):
                    runs.append(_Run(place, module, words[at + 2 :]))
                else:
                    yield f"{place}: there is no module {module}"


def _of_runs(runs: Sequence[_Run]) -> Iterator[str]:
    """Yields flags and settings that do not exist, of all runs: their flags are read once."""
    runs = [*runs, *filter(None, map(_submitted, runs))]
    known = job_flags.of_jobs(sorted({_main(run.module) for run in runs}))
    for run in runs:
        flags = known.get(_main(run.module))
        if flags is None:
            continue
        beam = job_flags.of_beam() if _takes_beam_flags(run.module) else frozenset()
        arguments = run.arguments
        if run.module == _SUBMIT and "--" in arguments:
            arguments = arguments[: arguments.index("--")]
        for argument in arguments:
            name = argument.removeprefix("--").partition("=")[0]
            if not re.fullmatch(r"--\w+", f"--{name}") or not argument.startswith("--"):
                continue
            if {name, name.removeprefix("no")}.isdisjoint({*flags, *_OF_ALL, *beam}):
                yield f"{run.place}: {run.module} has no flag --{name}"
        yield from _of_settings(run, arguments)


def _of_settings(run: _Run, arguments: Sequence[str]) -> Iterator[str]:
    """Yields what is wrong with the overrides of `--set`."""
    # The value of a variable is not known.
    overrides = [override for override in _values(arguments, "--set") if "$" not in override]
    if not overrides:
        return
    from pipeline.join.options import JoinOptions
    from pipeline.runtime import python_config
    from pipeline.submission.serve_settings import ServeSettings
    from pipeline.submission.settings import Settings
    from pipeline.training_runs import run_config

    try:
        if run.module == _SUBMIT:
            kind = ServeSettings if "serve" in _values(arguments, "--job") else Settings
            python_config.validate(kind, python_config.read(None, overrides), "--set")
        else:
            join = run_config.load(None, overrides).join
            fields = {field.name for field in dataclasses.fields(JoinOptions)}
            for name in sorted(set(join) - fields):
                yield f"{run.place}: there is no setting join.{name}"
    except UserInputError as error:
        yield f"{run.place}: {error}"


def _submitted(run: _Run) -> _Run | None:
    """Returns the job that a submission runs, with the flags behind `--`."""
    if run.module != _SUBMIT or "--" not in run.arguments:
        return None
    at = run.arguments.index("--")
    text = " ".join(run.arguments[:at])
    job = re.search(r"--job[ =](\w+)", text)
    return _Run(run.place, f"pipeline.{job[1]}", run.arguments[at + 1 :]) if job else None


def _main(module: str) -> str:
    is_package = (REPOSITORY / module.replace(".", "/")).is_dir()
    return f"{module}.__main__" if is_package else module


def _takes_beam_flags(module: str) -> bool:
    path = REPOSITORY / f"{module.replace('.', '/')}.py"
    return path.is_file() and "check_beam_flags" in path.read_text(encoding="utf-8")


def _values(arguments: Sequence[str], flag: str) -> list[str]:
    """Returns the values of a flag, given as `--flag value` or `--flag=value`."""
    return [
        argument.removeprefix(f"{flag}=") if argument.startswith(f"{flag}=") else following
        for argument, following in itertools.pairwise([*arguments, ""])
        if argument == flag or argument.startswith(f"{flag}=")
    ]


@functools.cache
def _make_targets() -> frozenset[str]:
    lists = _TARGETS.findall((REPOSITORY / "Makefile").read_text(encoding="utf-8"))
    return frozenset(target for several in lists for target in several.split())


@functools.cache
def _scripts() -> dict[str, str]:
    """Returns the module of each command that an installation has."""
    return dict(_SCRIPT.findall((REPOSITORY / "setup.py").read_text(encoding="utf-8")))
