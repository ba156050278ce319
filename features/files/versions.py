"""Numbered versions of a folder, one of which a pointer publishes.

    <folder>/versions/000001...   complete before it is published, and never changed
    <folder>/CURRENT              the number of the published version; replaced by rename, last

Readers always see one complete version, even if a job that makes the next one fails. To roll back,
write an older number into `CURRENT`; versions with higher numbers then count as unpublished.
"""

import os
from collections.abc import Collection

from features.errors import UserInputError
from features.files import staging, storage

POINTER = "CURRENT"
FOLDER = "versions"


def current(folder: str) -> int | None:
    """Returns the number of the published version, None if there is none.

    Raises:
      UserInputError: the pointer holds no number.
    """
    path = storage.join(folder, POINTER)
    if not storage.is_file(path):
        return None
    text = storage.read_bytes(path).decode(errors="replace").strip()
    if not text.isdigit():
        raise UserInputError(
            f"{path!r} holds {text[:40]!r}, expected the number of a version in "
            f"{storage.join(folder, FOLDER)!r}. Write one of those into it."
        )
    return int(text)


def publish(folder: str, version: int) -> None:
    """Publishes a complete version, atomically, once all of it is on disk."""
    path = path_of(folder, version)
    if not storage.is_remote(folder) and os.path.isdir(path):
        staging.sync_tree(path)
        staging.sync(os.path.dirname(path))
    storage.write_bytes(storage.join(folder, POINTER), f"{version}\n".encode())


def path_of(folder: str, version: int, suffix: str = "") -> str:
    """Returns the path of a version.

    >>> path_of("cache", 7, ".json")
    'cache/versions/000007.json'
    """
    return storage.join(folder, FOLDER, f"{version:06d}{suffix}")


def kept(numbers: Collection[int], published: int, keep: int) -> list[int]:
    """Returns the versions to keep, ascending: the published one and the newest before it.

    Args:
      numbers: all existing versions.
      published: the published version.
      keep: how many versions to keep, at least 1.

    >>> kept([1, 2, 3, 4, 5], 4, 3)
    [2, 3, 4]
    """
    return sorted(number for number in numbers if number <= published)[-keep:]
