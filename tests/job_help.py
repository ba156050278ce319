"""What is wrong with the help of a job: checks that the tests of all jobs share."""

import inspect
import re
import shlex
from collections.abc import Iterator
from types import ModuleType

from absl import flags

from pipeline.runtime import help_text

MOST_WORDS = 20
NOISE = re.compile(
    r"absl|\bflags:|Try --helpfull|<[^>]*\|[^>]*>|\(default:|repeat this option|/\w+\.py:"
)


def commands(module: ModuleType) -> list[list[str]]:
    """Returns the usual commands in a job's docstring, as words."""
    _, _, text = inspect.cleandoc(module.__doc__ or "").partition(f"{help_text.COMMANDS}\n\n")
    block = text.partition("\n\n")[0]
    lines = inspect.cleandoc(block).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


def faults(name: str, module: ModuleType) -> list[str]:
    """Returns what is wrong with the help of a job.

    Args:
      name: as in `python -m NAME`.
      module: the job's.
    """
    try:
        text, groups = help_text.of_module(module)
    except RuntimeError as error:
        return [str(error)]
    grouped = {flag.name: flag for group in groups.values() for flag in group}
    return [
        *_faults_of_text(text),
        *_faults_of_groups(groups),
        *(fault for flag in grouped.values() for fault in _faults_of_flag(flag, text)),
        *_faults_of_commands(name, commands(module), set(grouped)),
    ]


def _faults_of_text(text: str) -> Iterator[str]:
    purpose = text.partition("\n\n")[0]
    if not re.fullmatch(r"[A-Z][^\n]*\.", purpose):
        yield f"the first paragraph is not one line that says the purpose: {purpose!r}"
    for line in text.splitlines():
        if len(line) > help_text.WIDTH:
            yield f"{len(line)} columns: {line}"
    if found := NOISE.search(text):
        yield f"noise of a library: {found[0]!r}"
    if "Exit codes:" not in text:
        yield "no exit codes"


def _faults_of_groups(groups: help_text.Groups) -> Iterator[str]:
    if not groups:
        yield "no group of flags"
    for heading, group in groups.items():
        if not group:
            yield f"group {heading!r} is empty"


def _faults_of_flag(flag: flags.Flag, text: str) -> Iterator[str]:
    if f"  {help_text.usage(flag)}" not in text:
        yield f"--{flag.name} is not in the help"
    if help_text.value_of(flag) == "VALUE":
        yield f"--{flag.name} does not say what its value is: begin its text with `TYPE`"
    if flag.help.startswith("(no help available)"):
        yield f"--{flag.name} has no text"
    meaning = help_text.meaning_of(flag)
    if not re.match(r"[A-Z0-9]", meaning) or not re.search(r"[.\"]$", meaning):
        yield f"--{flag.name}: {meaning!r} is no sentence"
    if len(meaning.split()) > MOST_WORDS:
        yield f"--{flag.name}: {len(meaning.split())} words, at most {MOST_WORDS}"
    if not re.search(r"(Required|Default: .+)\.$", help_text.description(flag)):
        yield f"--{flag.name} shows no default"


def _faults_of_commands(name: str, found: list[list[str]], known: set[str]) -> Iterator[str]:
    if len(found) != 2:
        yield f"{len(found)} usual commands, expected two"
    for words in found:
        if words[:3] != ["python", "-m", name]:
            yield f"{shlex.join(words)}: expected python -m {name}"
        own = words[: words.index("--")] if "--" in words else words
        used = {word[2:].partition("=")[0] for word in own if word.startswith("--")}
        if unknown := sorted(used - known):
            yield f"{shlex.join(words)}: {unknown} are no flags of the job"
