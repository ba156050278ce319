"""Numbered versions of a folder, one of which a pointer publishes.

    <folder>/versions/000001...   complete before it is published, and never changed
    <folder>/CURRENT              the number of the published version; replaced by rename, last

Readers always see one complete version, even if a job that makes the next one fails. To roll back,
write an older number into `CURRENT`; versions with higher numbers then count as unpublished.
"""

import os
import re
from collections.abc import Collection

from pyarrow import fs

from features.errors import UserInputError
from features.files import staging, storage
from features.files.file_system import resolved

POINTER = "CURRENT"
FOLDER = "versions"

_NUMBER = re.compile(r"0*[1-9][0-9]{0,8}")
_NAME = re.compile(r"([0-9]{6,9})(\.json)?")


def current(folder: str) -> int | None:
    """Returns the number of the published version, None if none has been published.

    Raises:
      UserInputError: the pointer holds no number, or was removed.
    """
    path = storage.join(folder, POINTER)
    if storage.is_file(path):
        text = storage.read_bytes(path).decode(errors="replace").strip()
        if _NUMBER.fullmatch(text):
            return int(text)
        what = f"holds {text[:40]!r}"
    elif storage.exists(path):
        what = "is no file"
    # The first version stands there without a pointer where its job was killed; no later one does.
    elif max(numbers(folder), default=0) > 1:
        what = "is missing"
    else:
        return None
    raise UserInputError(
        f"{path!r} {what}, expected {_choice(folder)}. Write the number of the one to publish "
        "into it."
    )


def published(folder: str, suffix: str = "") -> str | None:
    """Returns the path of the published version, None if none has been published.

    Args:
      folder: of the versions.
      suffix: of a version's name; a version without one is a folder.

    Raises:
      UserInputError: the pointer is damaged, or names a version that is not there.
    """
    number = current(folder)
    if number is None:
        return None
    path = path_of(folder, number, suffix)
    if not storage.exists(path):
        raise UserInputError(
            f"{storage.join(folder, POINTER)!r} holds {number}, but {path!r} is missing: expected "
            f"{_choice(folder)}. Write the number of the one to publish into it."
        )
    return path


def numbers(folder: str) -> list[int]:
    """Returns the numbers of all versions, ascending, whether published or not."""
    with resolved(storage.join(folder, FOLDER)) as (filesystem, listed):
        try:
            found = filesystem.get_file_info(fs.FileSelector(listed, allow_not_found=True))
        except NotADirectoryError:
            return []
    names = (_NAME.fullmatch(one.base_name) for one in found)
    return sorted({int(name[1]) for name in names if name})


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


def kept(existing: Collection[int], latest: int, keep: int) -> list[int]:
    """Returns the versions to keep, ascending: the published one and the newest before it.

    Args:
      existing: all versions that are there.
      latest: the published version.
      keep: how many versions to keep, at least 1.

    >>> kept([1, 2, 3, 4, 5], 4, 3)
    [2, 3, 4]
    """
    return sorted(number for number in existing if number <= latest)[-keep:]


def _choice(folder: str) -> str:
    found = ", ".join(map(str, numbers(folder)[-5:]))
    where = f"a version in {storage.join(folder, FOLDER)!r}"
    return f"the number of {where}, such as {found}" if found else f"{where}, which holds none"
