"""TFRecord files of a folder, bounded in size and number, which many processes may write."""

import contextlib
import datetime
import errno
import fcntl
import os
import re
import socket
import uuid

from features.files.file_system import is_remote, local_path
from features.records import tfrecord

SUFFIX = ".tfrecord"

_NAME = re.compile(r"requests-\d{8}T\d{6}-[\w-]+-\d+-[0-9a-f]{8}\.tfrecord", re.ASCII)
_MODE = 0o640


class LogFiles:
    """Appends records to files; each process has files of its own. For one thread.

    A record is there as soon as `append` returns, whatever becomes of the process. One that cannot
    be written whole is taken back. Where the folder has `max_files`, the oldest is removed before
    another is begun; a file that any process still writes stays. Only files with the names that
    this class gives are removed.

    Args:
      folder: local; made when the first record comes.
      max_file_bytes: a file is closed before it would be larger.
      max_files: of all processes together. There may be one more for each process that writes.

    Raises:
      ValueError: the folder is remote, or a number is not positive.
    """

    def __init__(self, folder: str, max_file_bytes: int, max_files: int) -> None:
        if is_remote(folder):
            raise ValueError(
                f"Expected a local folder for the request log, received {folder!r}: object stores "
                "cannot append. Log to a local disk, and copy closed files."
            )
        for name, value in (("max_file_bytes", max_file_bytes), ("max_files", max_files)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, received {value}.")
        self._folder = local_path(folder)
        self._max_file_bytes = max_file_bytes
        self._max_files = max_files
        self._path = ""
        self._descriptor = -1
        self._written = 0

    def append(self, record: bytes) -> None:
        """Writes a record.

        Raises:
          OSError: it cannot be written; nothing of it is left.
        """
        framed = tfrecord.frame(record)
        if len(framed) > self._max_file_bytes:
            raise OSError(
                errno.EFBIG, f"a record of {len(framed)} B, files have {self._max_file_bytes}"
            )
        if self._written + len(framed) > self._max_file_bytes or not self._is_there():
            self.close()
        if self._descriptor < 0:
            self._open()
        try:
            rest = memoryview(framed)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            self._take_back()
            raise
        self._written += len(framed)

    def close(self) -> None:
        """Closes the current file; the next record begins another."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._written = -1, 0

    def _is_there(self) -> bool:
        """Whether the current file still has its name, and nobody moved or removed it."""
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        os.makedirs(self._folder, exist_ok=True)
        self._remove_oldest()
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S")
        name = f"requests-{moment}-{_writer()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        self._path = os.path.join(self._folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(self._path, flags, _MODE)
        # The lock says that the file is written; the system releases it when the process ends.
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _take_back(self) -> None:
        """Removes what a failed write left, so that the file ends with a whole record."""
        try:
            os.ftruncate(self._descriptor, self._written)
            is_empty = not self._written
        except OSError:
            is_empty = False
        if is_empty:
            with contextlib.suppress(OSError):
                os.remove(self._path)
        self.close()

    def _remove_oldest(self) -> None:
        """Makes room for one more file; names begin with the time."""
        names = sorted(name for name in os.listdir(self._folder) if _NAME.fullmatch(name))
        excess = len(names) + 1 - self._max_files
        for name in names:
            if excess <= 0:
                return
            excess -= self._removed(name)

    def _removed(self, name: str) -> bool:
        """Removes a file that nobody writes; returns whether it is gone."""
        path = os.path.join(self._folder, name)
        try:
            with open(path, "rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                except OSError:  # A disk without locks: only what this process has closed.
                    if f"-{_writer()}-" not in name:
                        return False
                os.remove(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


def _writer() -> str:
    """Names this process in names of files."""
    return f"{re.sub('[^A-Za-z0-9]+', '-', socket.gethostname())}-{os.getpid()}"
