"""What paths a job refuses, by its flags alone: outputs that meet inputs, and patterns.

A flag of the group "Output" whose value is a `FOLDER` or a `FILE` is an output; every other
`FOLDER` is an input, which has to stay as it is. A `FILE` that is read may lie in the output's
folder, and a bare word given as `FILE|NAME` is no path; a `PLACE` is only looked at. So a new flag
or job has the rule by itself.
"""

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from features.errors import UserInputError
from features.files.file_system import is_remote, local_path
from pipeline.runtime import help_text

_OUTPUT = "Output"
_KIND = re.compile(r"\b(FOLDER|FILE|PLACE)\b")
_MADE_BESIDE = (".building", ".rejected")
"""Folders beside an output that its job removes."""

_CHECKPOINTS = ("model_dir", "warm_start")
_SAVED_MODELS = ("export_dir", "saved_model")
_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
_URI = re.compile(r"^([a-z][a-z0-9+.-]*)://([^/]*)(.*)$", re.DOTALL)


class Place(NamedTuple):
    """A path as it was given.

    Attributes:
      name: of the flag or setting, as the user writes it.
      path: local or remote; an input may be a pattern.
      kind: `FOLDER`, `FILE` or `PLACE`.
    """

    name: str
    path: str
    kind: str = "FOLDER"


def places(groups: help_text.Groups) -> tuple[list[Place], list[Place]]:
    """Returns the outputs and the inputs that a job's flags name."""
    outputs: list[Place] = []
    inputs: list[Place] = []
    for heading, flags in groups.items():
        for flag in flags:
            found = outputs if heading == _OUTPUT else inputs
            found += _places(flag)
    return outputs, inputs


def check_flags(groups: help_text.Groups) -> None:
    """Checks the values of a job's flags.

    Raises:
      UserInputError: an output meets an input, or TensorFlow could not read a path.
    """
    for flag in (flag for group in groups.values() for flag in group):
        if flag.value and flag.name in (*_CHECKPOINTS, *_SAVED_MODELS):
            check_readable(f"--{flag.name}", flag.value, flag.name in _SAVED_MODELS)
    check(*places(groups))


def check(outputs: Sequence[Place], inputs: Sequence[Place]) -> None:
    """Checks that outputs leave inputs alone. Nothing is read, no path has to exist.

    Raises:
      UserInputError: an output is an input, or one of them is inside the other.
    """
    for output in outputs:
        for given in inputs:
            if relation := _relation(output, given):
                raise UserInputError(
                    f"{output.name} {output.path!r} {relation} {given.name} {given.path!r}: the "
                    f"job would write over its own input. Give {output.name} a path of its own, "
                    "neither inside an input nor around one."
                )


def check_readable(name: str, path: str, saved_model: bool = False) -> None:
    """Checks that TensorFlow can read back what is written below a path.

    Of a SavedModel it reads the absolute path, of a checkpoint the path as it was given.

    TensorFlow looks for checkpoints and variables with the path as a pattern, in which `[...]` is
    any of some characters and a backslash is not itself. `*` and `?` match themselves.

    Raises:
      UserInputError: the path as a pattern does not match the path.
    """
    if saved_model and not is_remote(path):
        path = os.path.abspath(local_path(path))
    if "\\" in path or not fnmatch.fnmatchcase(path, path):
        plain = re.sub(r"[\[\]\\]", "", path)
        raise UserInputError(
            f"{name} {path!r}: TensorFlow reads [...] and \\ in the path of a model as a pattern, "
            f"and would not find the model again. Give a path without them, such as {plain!r}."
        )


def _places(flag: help_text.Flag) -> Iterator[Place]:
    """Yields what a flag names, nothing where its values are no paths."""
    kind = _KIND.search(help_text.value_of(flag))
    if kind is None or not flag.value:
        return
    has_name = "=" in help_text.value_of(flag)
    may_be_name = help_text.value_of(flag).endswith("|NAME")
    for value in flag.value if isinstance(flag.value, list) else [flag.value]:
        path = value.partition("=")[2] if has_name and "=" in value else value
        is_name = may_be_name and path.isidentifier() and not os.path.exists(path)
        if path and not is_name:
            yield Place(f"--{flag.name}", path, kind[1])


def _relation(output: Place, given: Place) -> str | None:
    """Returns how an output meets an input, None where it does not."""
    out, pattern = _parts(output.path), _parts(given.path)
    if _meet(out, pattern):
        if len(out) == len(pattern):
            return "is the same as"
        if given.kind == "FOLDER":
            return "holds" if len(out) < len(pattern) else "is inside"
    for suffix in _MADE_BESIDE if output.kind == given.kind == "FOLDER" else ():
        beside = (*out[:-1], out[-1] + suffix)
        if len(beside) <= len(pattern) and _meet(beside, pattern):
            return f"is built in {output.path.rstrip('/') + suffix!r}, which meets"
    return None


def _meet(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether two places are the same as far as the shorter one goes."""
    for one, other in zip(path, pattern, strict=False):
        if other == "**":
            return True
        if one != other and not fnmatch.fnmatchcase(one, other):
            return False
    return True


def _parts(path: str) -> tuple[str, ...]:
    """Returns a path as the place that it means: file system, then folder by folder."""
    match = _URI.match(path)
    if match is not None and is_remote(path):
        scheme, host, rest = match.groups()
    else:
        scheme, host, rest = "file", "", os.path.realpath(local_path(path))
    return (_SCHEMES.get(scheme, scheme), host, *(part for part in rest.split("/") if part))
