"""An output on a local disk: staged under another name, renamed when complete."""

import contextlib
import fcntl
import glob
import os
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

from features.errors import UserInputError
from features.files import manifest

QUARANTINE = "quarantine"


class OutputFolder:
    """The output folder of one job, and the staging folder beside it.

    Args:
      output: the folder to publish.

    Attributes:
      path: the folder to publish, absolute.
      staging: the folder that is written meanwhile, `<output>.building`.
    """

    def __init__(self, output: str):
        self.path = os.path.abspath(output)
        self.staging = f"{self.path}.building"
        self._lock = contextlib.ExitStack()

    def is_free(self) -> bool:
        """Whether the output is absent, or an empty folder."""
        return not os.path.lexists(self.path) or _is_empty_folder(self.path)

    def begin(self) -> None:
        """Locks the output, removes a killed job's files and makes the staging folder.

        Raises:
          UserInputError: another process builds it, has just published it, or it cannot be
            written.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(locked(self.path))
            if not self.is_free():
                raise UserInputError(
                    f"{self.path!r} was published by another job meanwhile. Run again to see "
                    "whether it is the data set that you want."
                )
            shutil.rmtree(self.staging, ignore_errors=True)
            try:
                os.makedirs(self.staging)
            except OSError as error:
                raise _cannot_write(self.staging, error) from error
            self._lock = stack.pop_all()

    def complete(self, values: Mapping[str, Any]) -> None:
        """Writes the manifest and renames the folder."""
        for leftover in glob.glob(
            os.path.join(glob.escape(self.staging), "**/*.tmp"), recursive=True
        ):
            os.remove(leftover)
        manifest.write_manifest(self.staging, values)
        if _is_empty_folder(self.path):
            os.rmdir(self.path)
        os.rename(self.staging, self.path)
        shutil.rmtree(f"{self.path}.rejected", ignore_errors=True)

    def abandon(self) -> str | None:
        """Removes the staging folder, keeps its quarantine and returns the path of that, if any."""
        kept = None
        quarantine = os.path.join(self.staging, QUARANTINE)
        if os.path.isdir(quarantine) and os.listdir(quarantine):
            kept = os.path.join(f"{self.path}.rejected", QUARANTINE)
            shutil.rmtree(os.path.dirname(kept), ignore_errors=True)
            os.makedirs(os.path.dirname(kept))
            os.rename(quarantine, kept)
        shutil.rmtree(self.staging, ignore_errors=True)
        return kept

    def release(self) -> None:
        """Releases the lock; the system releases that of a killed process."""
        self._lock.close()


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Keeps other jobs from writing a folder that is not staged as a whole.

    Args:
      path: the folder; its parent is made if absent.

    Raises:
      UserInputError: another process holds it, or its parent cannot be written.
    """
    path = os.path.abspath(path)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        lock = _locked(f"{path}.lock")
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        yield
    finally:
        os.remove(lock.name)
        lock.close()


def _cannot_write(path: str, error: OSError) -> UserInputError:
    return UserInputError(f"--output: cannot write {path!r}: {error}.")


def _is_empty_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _locked(path: str) -> IO[str]:
    """Returns the open lock file, which names this process for other jobs' messages.

    Raises:
      UserInputError: another process holds it.
    """
    while True:
        lock = open(path, "a+")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with lock:
                lock.seek(0)
                holder = lock.read().strip() or "another process"
            raise UserInputError(
                f"{path.removesuffix('.lock')!r} is being written by {holder}. Wait until it ends, "
                "end it, or choose another --output."
            ) from None
        # Its holder may have removed the file between our opening and our locking it.
        if os.path.exists(path) and os.path.samestat(os.fstat(lock.fileno()), os.stat(path)):
            break
        lock.close()
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {socket.gethostname()} ({shlex.join(sys.argv)[:200]})\n")
    lock.flush()
    return lock
