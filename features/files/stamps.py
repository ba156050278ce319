"""Whether a file is still the one that was opened, by what its file system says of it.

A local file has the system's own time of its last change, which copied or restored times of
modification do not hide. An object has the store's time, mostly in whole seconds.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping

from features.errors import UserInputError
from features.files.file_system import is_remote, local_path, resolved

Stamp = tuple[int, int, int]
"""Size in bytes, time of modification and time of change in nanoseconds."""


def stamp(path: str) -> Stamp:
    """Returns the stamp of a file; taken before the file is opened, it covers all that is read.

    Raises:
      OSError: a local file is not there.
      UserInputError: a remote one is not there.
    """
    if not is_remote(path):
        found = os.stat(local_path(path))
        return found.st_size, found.st_mtime_ns, found.st_ctime_ns
    with resolved(path) as (filesystem, name):
        info = filesystem.get_file_info(name)
        if info.size is None:
            raise FileNotFoundError("it is not there")
        return info.size, info.mtime_ns or 0, 0


def check(stamps: Mapping[str, Stamp]) -> None:
    """Refuses files that are not those that were opened.

    Args:
      stamps: by path, each taken before the file was opened.

    Raises:
      UserInputError: names the first of them, and what became of it.
    """
    for path, before in stamps.items():
        if what := _change(path, before):
            raise changed(path, what)


@contextlib.contextmanager
def checked_after(check: Callable[[], None]) -> Iterator[None]:
    """Calls a check after the block; also after an error, which its own then explains."""
    try:
        yield
    except Exception:
        check()
        raise
    check()


def changed(path: str, what: str) -> UserInputError:
    """Returns the error of a file that became another one, and `what` says so."""
    return UserInputError(
        f"{path!r} changed while it was read: {what}. Run again when nothing writes its folder; a "
        "copy or a snapshot that stays as it is can be read at any time."
    )


def _change(path: str, before: Stamp) -> str | None:
    try:
        now = stamp(path)
    except (OSError, UserInputError) as error:
        return f"it cannot be found any more ({error})".replace(").", ")")
    if now == before:
        return None
    if now[0] != before[0]:
        return f"it had {before[0]} bytes, now {now[0]}"
    return "it was written or replaced"
