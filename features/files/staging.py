"""The one way in which a local folder of a job appears: made beside, marked, flushed, renamed.

A job writes into a staging folder that carries a mark. Publishing flushes all files to disk,
renames the folder and removes the mark, so that a kill or a power cut leaves the whole folder or
none. What carries the mark was left by a job, and the next job removes it; a folder without it is
the user's, whatever its name.
"""

import contextlib
import errno
import os
import shutil

from features.errors import UserInputError
from features.files import locks

MARKER = ".dmf-unfinished"
"""A file in every folder that a job has not finished; it names the process."""

TEMPORARY = ".tmp"
"""The suffix of files that are being written."""

_CHANGED = (errno.ENOTEMPTY, errno.ENOENT)
_REMOVALS = 20


def begin(folder: str) -> None:
    """Makes an empty staging folder with the mark, in place of one that a job left.

    Raises:
      UserInputError: there is a folder or file of this name that no job left.
      OSError: it cannot be made.
    """
    check_leftover(folder)
    remove_leftover(folder)
    os.makedirs(folder, exist_ok=True)
    mark(folder)


def mark_of(folder: str) -> str:
    """Returns the path of the mark in a folder."""
    return os.path.join(folder, MARKER)


def mark(folder: str) -> None:
    """Writes the mark into a folder."""
    with open(mark_of(folder), "w") as file:
        file.write(locks.holder())


def is_leftover(folder: str) -> bool:
    """Whether a job left this folder: it carries the mark, or is empty."""
    is_folder = os.path.isdir(folder) and not os.path.islink(folder)
    return is_folder and (os.path.isfile(mark_of(folder)) or not os.listdir(folder))


def check_leftover(folder: str) -> None:
    """Refuses a name that a job needs and that something else has.

    Raises:
      UserInputError: there is a folder or file of this name that no job left.
    """
    if os.path.lexists(folder) and not is_leftover(folder):
        raise UserInputError(
            f"{folder!r} is in the way: jobs use this name, and no job left what is there (it has "
            f"no {MARKER}). Move it away, or choose another output."
        )


def remove_leftover(folder: str) -> bool:
    """Removes a folder that a job left, and returns whether there was one.

    Workers of a job that has failed may still write there: what they add meanwhile is removed too.
    """
    if not is_leftover(folder):
        return False
    for removals_left in reversed(range(_REMOVALS)):
        try:
            # The mark goes last: a killed removal leaves a marked folder, which the next job
            # removes.
            for name in os.listdir(folder):
                if name != MARKER:
                    _remove(os.path.join(folder, name))
            with contextlib.suppress(FileNotFoundError):
                os.remove(mark_of(folder))
            os.rmdir(folder)
            break
        except OSError as error:
            if error.errno not in _CHANGED or not removals_left:
                raise
            mark(folder)
    return True


def publish(folder: str, target: str) -> None:
    """Completes a staging folder and renames it, so that a power cut loses none of it.

    Args:
      folder: of `begin`; its temporary files are removed.
      target: on the same file system; absent or an empty folder.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(TEMPORARY):
                os.remove(os.path.join(parent, name))
    sync_tree(folder)
    # The mark goes after the rename: a folder under a staging name always carries it.
    os.rename(folder, target)
    unmark(target)
    sync(os.path.dirname(os.path.abspath(target)))


def unmark(folder: str) -> None:
    """Removes the mark of a published folder, which a job that is killed right then leaves."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(mark_of(folder))
        sync(folder)


def sync_tree(folder: str) -> None:
    """Flushes a folder and all that it holds to disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(os.path.join(parent, name))
        sync(parent)


def sync(path: str) -> None:
    """Flushes one file to disk, or the names in one folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)
