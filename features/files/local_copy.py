"""Remote folders as local ones, for memory-mapping."""

import fcntl
import hashlib
import os
import shutil
import tempfile

from pyarrow import fs

from features.errors import UserInputError
from features.files import file_system, storage


def local_copy(folder: str) -> str:
    """Returns a local folder with the same files.

    A local folder is returned as it is. A remote one is downloaded once per host and user, by the
    first process that asks; others wait for it. An interrupted download is never used. A copy is
    not refreshed, so a folder's content must not change under its name.

    Args:
      folder: local or remote; complete.

    Raises:
      UserInputError: the folder cannot be read, or is empty.
    """
    if not storage.is_remote(folder):
        return folder
    copy = _copy_of(folder)
    os.makedirs(os.path.dirname(copy), mode=0o700, exist_ok=True)
    _refuse_others(os.path.dirname(copy))
    with open(f"{copy}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(copy):
            shutil.rmtree(f"{copy}.part", ignore_errors=True)
            os.makedirs(f"{copy}.part")
            _download(folder, f"{copy}.part")
            os.rename(f"{copy}.part", copy)
    return copy


def remove_local_copy(folder: str) -> None:
    """Removes this host's copy of a remote folder, if any; never the folder itself."""
    if storage.is_remote(folder):
        copy = _copy_of(folder)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.rmtree(f"{copy}.part", ignore_errors=True)
        if os.path.exists(f"{copy}.lock"):
            os.remove(f"{copy}.lock")


def _copy_of(folder: str) -> str:
    name = hashlib.sha256(folder.encode()).hexdigest()[:32]
    return os.path.join(tempfile.gettempdir(), f"dmf-ctr-{os.getuid()}", name)


def _refuse_others(parent: str) -> None:
    """Raises if another user made the folder in the shared temporary folder."""
    if os.stat(parent).st_uid != os.getuid():
        raise UserInputError(f"{parent!r} belongs to another user. Set TMPDIR to another folder.")


def _download(folder: str, target: str) -> None:
    if storage.is_empty(folder):
        raise UserInputError(f"{folder!r} holds nothing to copy.")
    with file_system.resolved(folder) as (filesystem, name):
        fs.copy_files(
            name, target, source_filesystem=filesystem, destination_filesystem=fs.LocalFileSystem()
        )
