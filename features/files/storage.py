"""Files and folders by path or URI: local disks, `s3://`, `gs://` and `hdfs://`.

A path without a scheme (or with `file://`) is local; `file_system` has the settings of the others.
Remote operations fail with `UserInputError`, since the cause is mostly a wrong name, address or
credential; local ones fail with `OSError`, as `open` does.
"""

import contextlib
import errno
import fcntl
import glob
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from types import TracebackType
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from features.errors import UserInputError
from features.files import staging
from features.files.file_system import is_remote as is_remote
from features.files.file_system import local_path, resolved

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HEX = "[0-9a-f]" * 32
_PIECE_BYTES = 1 << 20
_CHUNK_BYTES = 8 << 20
_SPOOL_BYTES = 32 << 20


def join(folder: str, *parts: str) -> str:
    """Returns a path within a folder.

    >>> join("s3://bucket/examples/", "quarantine", "a.jsonl")
    's3://bucket/examples/quarantine/a.jsonl'
    """
    return (
        "/".join([folder.rstrip("/"), *parts])
        if is_remote(folder)
        else os.path.join(folder, *parts)
    )


def base_name(path: str) -> str:
    """Returns the last part of a path.

    >>> base_name("s3://bucket/examples/")
    'examples'
    """
    return path.rstrip("/").rpartition("/")[2]


def is_file(path: str) -> bool:
    """Whether there is a file or object of this name."""
    return bool(_kind(path) == fs.FileType.File)


def exists(path: str) -> bool:
    """Whether there is a file or folder; on object stores, any object below this name."""
    return bool(_kind(path) != fs.FileType.NotFound)


def is_empty(folder: str) -> bool:
    """Whether a folder is empty or does not exist."""
    with resolved(folder) as (filesystem, name):
        return not filesystem.get_file_info(fs.FileSelector(name, allow_not_found=True))


def list_files(folder: str, suffix: str = "") -> list[str]:
    """Returns the paths of a folder's files that end in `suffix`, sorted by name.

    Raises:
      UserInputError: there is no such folder.
    """
    return [path for path in file_sizes(folder) if path.endswith(suffix)]


def file_sizes(folder: str) -> dict[str, int]:
    """Returns the sizes in bytes of a folder's files by path, sorted by name.

    Raises:
      UserInputError: there is no such folder.
    """
    with resolved(folder) as (filesystem, name):
        try:
            found = filesystem.get_file_info(fs.FileSelector(name))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserInputError(f"{folder!r} is not a folder.") from error
    files = sorted((one.base_name, one.size) for one in found if one.type == fs.FileType.File)
    return {join(folder, name): size for name, size in files}


def list_folders(folder: str) -> list[str]:
    """Returns the names of a folder's subfolders, sorted; none if the folder is absent."""
    with resolved(folder) as (filesystem, name):
        found = filesystem.get_file_info(fs.FileSelector(name, allow_not_found=True))
    return sorted(one.base_name for one in found if one.type == fs.FileType.Directory)


def size(path: str) -> int:
    """Returns a file's size in bytes."""
    with resolved(path) as (filesystem, name):
        info = filesystem.get_file_info(name)
        if info.type != fs.FileType.File:
            raise FileNotFoundError(f"{path!r} is not a file.")
        return int(info.size)


def open_input(path: str) -> pa.NativeFile:
    """Opens a file for reading at any position; use it as a context manager."""
    with resolved(path) as (filesystem, name):
        return filesystem.open_input_file(name)


def open_parquet(path: str, streamed: bool = False) -> pq.ParquetFile:
    """Opens a Parquet file; use it as a context manager.

    A page that has a checksum is compared with it when it is read: a damaged one is an `OSError`.

    Args:
      path: local or remote.
      streamed: whether a local file's columns are read piece by piece as they are decoded. A
        column of a row group is in memory as a whole otherwise, and always of a remote file.

    Raises:
      pa.ArrowException: the file is not Parquet.
      OSError: the file cannot be opened.
    """
    piecewise = streamed and not is_remote(path)
    with resolved(path) as (filesystem, name):
        try:
            return pq.ParquetFile(
                name,
                filesystem=filesystem,
                buffer_size=_PIECE_BYTES if piecewise else 0,
                # Coalesces small reads, each of which would be a request.
                pre_buffer=not piecewise,
                page_checksum_verification=True,
            )
        except UnicodeDecodeError as error:
            raise pa.ArrowInvalid(f"a name in its footer is no text: {error}") from error


def read_bytes(path: str) -> bytes:
    """Returns a file's content."""
    with open_input(path) as file, resolved(path):
        return bytes(file.read())


def chunks(path: str) -> Iterator[bytes]:
    """Yields a file's content, 8 MiB at a time."""
    with open_input(path) as file:
        while True:
            with resolved(path):
                chunk = file.read(_CHUNK_BYTES)
            if not chunk:
                return
            yield chunk


class OutputFile:
    """Writes a file atomically: it appears, complete, when the block ends without an exception.

    On local disks the file is written beside its name, flushed to disk and renamed, so that a power
    cut leaves the old content or the new; a symbolic link is followed, and what a killed process
    left beside the file is removed. On object stores it is staged in memory, above 32 MiB in a
    temporary file, and uploaded at the end, because pyarrow completes an upload even after an
    exception. A killed process leaves no object, at most parts of an upload, which the bucket's
    lifecycle rule for incomplete uploads should remove.

    Args:
      path: the file's.
      durable: flush a local file, and make its folder if absent. False where its folder is flushed
        as a whole (`staging`), or nothing of it has to survive the process. Such a folder has to
        exist: a worker that outlives its job must not make again what the job has removed.

    Attributes:
      stream: the open file, for writers that take a file object.
    """

    def __init__(self, path: str, durable: bool = True):
        self._path, self._durable = path, durable
        self._local = path if is_remote(path) else os.path.realpath(local_path(path))
        self._temporary = f"{self._local}.{uuid.uuid4().hex}{staging.TEMPORARY}"
        self.stream: IO[bytes]

    def __enter__(self) -> "OutputFile":
        if is_remote(self._path):
            self.stream = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)
        else:
            if self._durable:
                os.makedirs(os.path.dirname(self._local), exist_ok=True)
            self.stream = self._open() if self._durable else open(self._temporary, "xb")
        return self

    def _open(self) -> IO[bytes]:
        """Removes what killed processes left of this file, and opens a file that is locked.

        The lock, which a process that ends has no more, tells the files of living ones.
        """
        for left in glob.glob(f"{glob.escape(self._local)}.{_HEX}{staging.TEMPORARY}"):
            with contextlib.suppress(OSError), open(left, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.remove(left)
        while True:
            stream = open(self._temporary, "xb")  # noqa: SIM115
            with contextlib.suppress(OSError):  # A disk without locks.
                fcntl.flock(stream, fcntl.LOCK_EX)
            if os.path.exists(self._temporary):
                return stream
            stream.close()

    def write(self, data: bytes) -> None:
        """Appends bytes."""
        try:
            self.stream.write(data)
        except OSError as error:
            self._name_in(error)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if is_remote(self._path):
            with self.stream:
                if kind is None:
                    self._upload()
            return
        try:
            with self.stream:
                if kind is None and self._durable:
                    self.stream.flush()
                    os.fsync(self.stream.fileno())
            if kind is None:
                os.replace(self._temporary, self._local)
            self._name_in(error)
        except OSError as failed:
            self._name_in(failed)
            raise
        finally:
            # Also after a full disk, which shows when the file is flushed or closed.
            if os.path.exists(self._temporary):
                os.remove(self._temporary)
        if kind is None and self._durable:
            staging.sync(os.path.dirname(self._local))

    def _name_in(self, error: BaseException | None) -> None:
        """Names the file in an error of a full disk, which Python and PyArrow leave out."""
        if isinstance(error, OSError) and error.errno in _FULL and error.filename is None:
            error.filename = self._path

    def _upload(self) -> None:
        self.stream.seek(0)
        with (
            resolved(self._path) as (filesystem, name),
            filesystem.open_output_stream(name) as stream,
        ):
            shutil.copyfileobj(self.stream, stream, _CHUNK_BYTES)


def write_bytes(path: str, data: bytes) -> None:
    """Writes a file atomically, in place of an earlier one of that name."""
    with OutputFile(path) as file:
        file.write(data)


def make_folder(folder: str) -> None:
    """Makes a local folder and its parents; object stores need no folders."""
    if not is_remote(folder):
        os.makedirs(local_path(folder), exist_ok=True)


def remove_file(path: str) -> None:
    """Removes a file."""
    with resolved(path) as (filesystem, name):
        filesystem.delete_file(name)


def remove_folder(folder: str) -> None:
    """Removes a folder with its content, if there is one."""
    if not is_remote(folder):
        shutil.rmtree(local_path(folder), ignore_errors=True)
        return
    with resolved(folder) as (filesystem, name), contextlib.suppress(FileNotFoundError):
        filesystem.delete_dir(name)


def _kind(path: str) -> fs.FileType:
    with resolved(path) as (filesystem, name):
        return filesystem.get_file_info(name).type
