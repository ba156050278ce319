"""`--help`: what a job is for, its usual commands, its flags by group, what it leaves.

A job says this in two places. Its module's docstring has the purpose, two commands below the line
`Usual commands:`, and then what follows the flags: output, and what its exit codes mean besides.
Its flags are defined in groups, in the order in which a user meets them:

    with flag_group("Labels"):
        flags.DEFINE_multi_string(
            "label_logs", [], "`LABEL=FOLDER` Log of its own whose rows set the label."
        )

What a text has in back quotes at its begin is the type of the value: `--label_logs=LABEL=FOLDER`.
Where that is a unit, the default is shown with it. A text may end with a default in words, where
the job chooses it: `Default: all that fit.`.
"""

import contextlib
import inspect
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

from absl import flags

from pipeline.runtime import exit_codes

COMMANDS = "Usual commands:"
"""The line of a job's docstring that two commands follow, indented."""

WIDTH = 100
"""The most columns of a line."""

Flag = flags.Flag
Groups = Mapping[str, Sequence[Flag]]
"""The flags of a job by heading, both in the order of their definition."""

_VALUE = re.compile(r"`([^`]+)` ")
_REPEATED = ";\n    repeat this option"
_UNITS = {"SECONDS": "seconds", "DAYS": "days", "MIB": "MiB", "MICROSECONDS": "microseconds"}
_WIDEST_NAME = 34
_EXIT_CODES = "; ".join(f"{code} {meaning}" for code, meaning in exit_codes.MEANINGS.items())
_EVERY_JOB = (
    "Every job: --only_check_args checks the flags and runs nothing, --flagfile=FILE reads flags "
    "from a file, one per line, --helpfull lists the flags of all libraries."
)

_groups: dict[str, list[Flag]] = {}


@contextlib.contextmanager
def flag_group(heading: str) -> Iterator[None]:
    """Collects the flags that are defined within it under a heading of `--help`."""
    before = set(flags.FLAGS)
    yield
    defined = (flags.FLAGS[name] for name in flags.FLAGS if name not in before)
    _groups.setdefault(heading, []).extend(defined)


def define_groups(define_flags: Callable[[], object]) -> Groups:
    """Defines a job's flags and returns them by heading.

    Raises:
      RuntimeError: a flag is in no group, so nobody would find it.
    """
    before = set(flags.FLAGS)
    _groups.clear()
    define_flags()
    grouped = {flag.name for group in _groups.values() for flag in group}
    if stray := [name for name in flags.FLAGS if name not in before | grouped]:
        raise RuntimeError(f"Flags {stray} are in no group: define them in `with flag_group(...)`.")
    return dict(_groups)


def of_module(module: ModuleType) -> tuple[str, Groups]:
    """Returns the help of a job, by its module, and its flags; none of them stays defined."""
    before = set(flags.FLAGS)
    try:
        groups = define_groups(module.define_flags)
        return render(module.__doc__ or "", groups), groups
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)


def define_help_flags(doc: str, groups: Groups) -> None:
    """Lets `--help`, `-h`, `-?` and `--helpshort` print the help; `--helpfull` stays absl's."""
    for name, short in (("help", "h"), ("helpshort", "?")):
        flags.DEFINE_flag(_HelpFlag(name, short, lambda: render(doc, groups)))


class _HelpFlag(flags.BooleanFlag):
    """Prints the help to stdout and ends the process with 0; absl's own ends it with 1."""

    def __init__(self, name: str, short_name: str, text: Callable[[], str]):
        super().__init__(name, False, "show this help", short_name, allow_override=True)
        self._text = text

    def parse(self, argument: str | bool) -> None:
        super().parse(argument)
        if self.value:
            self._show()

    def _show(self) -> NoReturn:
        try:
            print(self._text(), flush=True)
        except BrokenPipeError:
            # `--help | head` has read enough; without this, Python complains again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def render(doc: str, groups: Groups) -> str:
    """Returns the help of a job.

    Args:
      doc: its module's docstring.
      groups: its flags by heading.
    """
    head, commands, rest = inspect.cleandoc(doc).partition(COMMANDS)
    examples, _, rest = rest.lstrip("\n").partition("\n\n")
    parts = [head.strip()]
    if commands:
        parts += [COMMANDS, examples.rstrip()]
    parts += _described(groups)
    parts += [rest.strip()] if rest.strip() else []
    parts.append(_filled(f"Exit codes: {_EXIT_CODES}.", WIDTH))
    parts.append(_filled(_EVERY_JOB, WIDTH))
    return "\n\n".join(parts)


def _described(groups: Groups) -> list[str]:
    """Returns a block of text per group, with the flags' texts in one column."""
    names = {flag.name: f"  {usage(flag)}" for group in groups.values() for flag in group}
    widths = [len(name) for name in names.values() if len(name) <= _WIDEST_NAME]
    indent = " " * (max(widths, default=0) + 2)
    blocks = []
    for heading, group in groups.items():
        lines = [f"{heading}:"]
        for flag in group:
            text = textwrap.indent(_filled(description(flag), WIDTH - len(indent)), indent)
            name = names[flag.name]
            if len(name) + 2 > len(indent):
                lines += [name, text]
            else:
                lines.append(name.ljust(len(indent)) + text.removeprefix(indent))
        blocks.append("\n".join(lines))
    return blocks


def _filled(text: str, width: int) -> str:
    """Returns a text in lines; a default stays beside its word, a flag is not cut."""
    kept = text.replace("Default: ", "Default:\N{NO-BREAK SPACE}")
    lines = textwrap.wrap(kept, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def usage(flag: Flag) -> str:
    """Returns how a flag is written: `--name=VALUE`, `--name` for a switch."""
    value = value_of(flag)
    return f"--{flag.name}={value}" if value else f"--{flag.name}"


def value_of(flag: Flag) -> str:
    """Returns the type of a flag's value, such as `FOLDER` or `s|ms|us`; empty for a switch."""
    if flag.boolean:
        return ""
    return _parts(flag)[0] or "|".join(_choices(flag)) or "VALUE"


def description(flag: Flag) -> str:
    """Returns what a flag means, how it may be given, and its default."""
    parts = [meaning_of(flag)]
    if choices := choices_in_text(flag):
        parts.append(choices)
    if is_repeatable(flag):
        parts.append("Repeatable.")
    parts.append("Required." if is_required(flag) else f"Default: {default_of(flag)}.")
    return " ".join(parts)


def meaning_of(flag: Flag) -> str:
    """Returns what a flag means, without its type and its default."""
    return _parts(flag)[1]


def choices_in_text(flag: Flag) -> str:
    """Returns a sentence with the values of an enumeration whose usage does not list them."""
    choices = _choices(flag) if _parts(flag)[0] else ()
    return f"One of {', '.join(choices)}." if choices else ""


def is_required(flag: Flag) -> bool:
    """Whether a job cannot run without the flag."""
    return any("other than None" in one.message for one in flag.validators)


def is_repeatable(flag: Flag) -> bool:
    """Whether a flag may be given several times."""
    return isinstance(flag, flags.MultiFlag)


def default_of(flag: Flag) -> str:
    """Returns the default with its unit, or as the flag's text describes it."""
    if described := _parts(flag)[2]:
        return described
    if flag.boolean:
        return "on" if flag.default else "off"
    unit = _UNITS.get(value_of(flag), "")
    return f"{default_value(flag)} {unit}".strip() if default_value(flag) else "none"


def default_value(flag: Flag) -> str:
    """Returns the default as a user would write it; empty where there is none."""
    value: Any = flag.default
    if value is None or flag.boolean:
        return ""
    if isinstance(value, list):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parts(flag: Flag) -> tuple[str, str, str]:
    """Returns the type of a flag's value, its meaning, and its default in words, from its text."""
    text = (flag.help or "").partition(_REPEATED)[0]
    if choices := _choices(flag):
        text = text.removeprefix(f"<{'|'.join(choices)}>: ")
    match = _VALUE.match(text)
    meaning, _, default = text.removeprefix(match[0] if match else "").partition(" Default: ")
    return match[1] if match else "", meaning, default.removesuffix(".")


def _choices(flag: Flag) -> Sequence[str]:
    return getattr(flag.parser, "enum_values", ())
