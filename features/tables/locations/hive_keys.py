"""`KEY=VALUE` folders, as Hive, Spark and others lay out tables."""

import functools
import re
from collections.abc import Iterable
from urllib.parse import unquote

from features.errors import UserInputError

Keys = tuple[tuple[str, str | None], ...]
"""Names and values, outermost folder first; None is the null of Hive."""

_NULL = "__HIVE_DEFAULT_PARTITION__"
_FOLDER = re.compile(r"([^=]+)=(.*)", re.DOTALL)


def is_key(folder: str) -> bool:
    """Whether a folder of this name is `KEY=VALUE`."""
    return _FOLDER.fullmatch(folder) is not None


@functools.lru_cache(maxsize=1024)
def keys_of(folders: str) -> Keys:
    """Returns the keys in the folders of a path.

    >>> keys_of("date=2026-05-01/hour=__HIVE_DEFAULT_PARTITION__/a%20b=c%2Fd")
    (('date', '2026-05-01'), ('hour', None), ('a b', 'c/d'))

    Raises:
      UserInputError: a key is there twice, with different values.
    """
    keys: dict[str, str | None] = {}
    for folder in folders.split("/"):
        match = _FOLDER.fullmatch(folder)
        if match is None:
            continue
        name, value = unquote(match[1]), None if match[2] == _NULL else unquote(match[2])
        if keys.setdefault(name, value) != value:
            raise UserInputError(
                f"{folders!r}: the folders say {name}={keys[name]} and {name}={value}. Rename one "
                "of them."
            )
    return tuple(keys.items())


def keys_at_the_end(folder: str) -> str:
    """Returns the `KEY=VALUE` folders that a path ends in, with `/` between them.

    >>> keys_at_the_end("logs/stage=prod/clicks/date=2026-05-01/hour=05/")
    'date=2026-05-01/hour=05'
    """
    parts = folder.rstrip("/").split("/")
    first = len(parts)
    while first and is_key(parts[first - 1]):
        first -= 1
    return "/".join(parts[first:])


def check_levels(files: Iterable[tuple[str, Keys]]) -> None:
    """Checks that the files of a location have one key per level of folders.

    A file may lie above the folders of a key: it has none.

    Args:
      files: path and keys.

    Raises:
      UserInputError: names two folders that differ.
    """
    seen: list[tuple[str, str]] = []
    for path, keys in files:
        for level, (name, _) in enumerate(keys):
            if level == len(seen):
                seen.append((name, path))
            elif seen[level][0] != name:
                other, example = seen[level]
                raise UserInputError(
                    f"folders of one level have the keys {other!r} ({example!r}) and {name!r} "
                    f"({path!r}), expected one key. If these are two tables, name the one that "
                    "is meant; otherwise rename the folders."
                )
