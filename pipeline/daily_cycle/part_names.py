"""The parts of a log, by the folders or files that its location names."""

import glob
import re
from collections.abc import Sequence

from features.errors import UserInputError
from features.files import storage
from pipeline.daily_cycle.config import PLACEHOLDER
from pipeline.join.rules.option_types import PART_NAME


def check(name: str) -> None:
    """Refuses what is no name of a part, which becomes the name of folders.

    Raises:
      UserInputError: it is none.
    """
    if not _is_name(name):
        raise UserInputError(
            f"--part {name!r} is no name of a part: letters, digits, _ and -, and the first one a "
            "letter or digit, such as 2026-05-02."
        )


def between(pattern: str, first: str, last: str) -> list[str]:
    """Returns the parts that a log has between two, both included, ascending by name.

    Args:
      pattern: the log's location, with `{part}` once.
      first: name of the first part.
      last: name of the last part.

    Raises:
      UserInputError: the location is remote, or the log has no part in between.
    """
    if last < first:
        raise UserInputError(
            f"--from {first!r} comes after --to {last!r}: parts are in the order of their names."
        )
    found = [name for name in names(pattern) if first <= name <= last]
    if not found:
        raise UserInputError(
            f"{pattern!r} has no part from {first!r} to {last!r}. Parts are what stands for "
            f"{PLACEHOLDER}; there are: {_listed(names(pattern))}."
        )
    return found


def names(pattern: str) -> list[str]:
    """Returns the names of the parts that a log has, ascending.

    Args:
      pattern: the log's location, local, with `{part}` once.

    Raises:
      UserInputError: the location is remote.
    """
    if storage.is_remote(pattern):
        raise UserInputError(
            f"The parts of the remote log {pattern!r} are not listed. Give each by --part."
        )
    before, after = pattern.split(PLACEHOLDER)
    # The name ends within its component; what follows it there is part of the pattern.
    rest, separator, _ = after.partition("/")
    start, suffix = len(before), len(rest) + len(separator)
    paths = glob.glob(f"{glob.escape(before)}*{glob.escape(rest)}{separator}")
    found = {path[start : len(path) - suffix] for path in paths}
    return sorted(filter(_is_name, found))


def _is_name(name: str) -> bool:
    return re.fullmatch(PART_NAME, name) is not None


def _listed(found: Sequence[str]) -> str:
    return ", ".join([*found[:5], *(["..."] if len(found) > 5 else [])]) or "none"
