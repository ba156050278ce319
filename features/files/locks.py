"""Locks on folders: one job at a time writes a place.

The system releases the lock of a process that ends, however it ends, so a killed job never keeps
others out. Locks are of the host's file system: two hosts that share a network disk exclude each
other only if that disk supports `flock`.
"""

import contextlib
import fcntl
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from typing import IO

from features.errors import UserInputError
from features.files.file_system import local_path

SUFFIX = ".lock"


@contextlib.contextmanager
def locked(path: str, flag: str = "--output") -> Iterator[None]:
    """Keeps other processes from writing a folder; `<path>.lock` exists meanwhile.

    Args:
      path: the folder, local; its parent is made if absent.
      flag: names the folder in messages.

    Raises:
      UserInputError: another process holds it.
      OSError: its parent cannot be written.
    """
    path = os.path.realpath(local_path(path))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    lock = _locked(path, flag)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(lock.name)
        lock.close()


def name_of(path: str) -> str:
    """Returns the path of a folder's lock."""
    return f"{path}{SUFFIX}"


def holder() -> str:
    """Returns a line that names this process: number, host and command."""
    return f"process {os.getpid()} on {socket.gethostname()} ({shlex.join(sys.argv)[:200]})\n"


def _locked(path: str, flag: str) -> IO[str]:
    """Returns the open lock file, which names this process for other jobs' messages.

    Raises:
      UserInputError: another process holds it.
    """
    name = name_of(path)
    while True:
        lock = open(name, "a+")  # noqa: SIM115
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with lock:
                lock.seek(0)
                other = lock.read(1000).strip() or "another process"
            raise UserInputError(
                f"{path!r} is being written by {other}. Wait until it ends, end it, or choose "
                f"another {flag}."
            ) from None
        # Its holder may have removed the file between our opening and our locking it, and another
        # may do so now.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock.fileno()), os.stat(name)):
                break
        lock.close()
    lock.truncate(0)
    lock.write(holder())
    lock.flush()
    return lock
