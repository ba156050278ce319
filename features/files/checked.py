"""Data files opened with their checks: what a manifest says of a file, compared with the file.

A file is hashed once per process as long as it has the same stamp (`stamps`). Of a remote file only
the size is compared unless the caller asks for more: hashing would read it twice over the network.
"""

import contextlib
import functools
import hashlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from features.errors import UserInputError
from features.files import stamps, storage
from features.files.file_system import is_remote
from features.files.stamps import Stamp

_SETTLED_NANOSECONDS = 2_000_000_000
"""A file that changed more recently may change again without another stamp: clocks have ticks."""


def verify(path: str, expected: Mapping[str, Any], remedy: str, stream: bool = False) -> None:
    """Compares a file with what is known of it.

    Args:
      path: local or remote.
      expected: `bytes`, `sha256` (hexadecimal), or both; other keys are ignored.
      remedy: a sentence that says how the file is made again.
      stream: hash a remote file too.

    Raises:
      UserInputError: the file is missing, cannot be read, or is another one; names it.
    """
    with _readable(path, remedy):
        _compare_size(path, storage.size(path), expected, remedy)
        if "sha256" in expected and (stream or not is_remote(path)):
            _compare(path, sha256(path), expected, remedy)


def read_bytes(path: str, expected: Mapping[str, Any], remedy: str) -> bytes:
    """Returns a file's content, compared with what is known of it.

    Args:
      path: local or remote.
      expected: `bytes`, `sha256` (hexadecimal), or both; other keys are ignored.
      remedy: a sentence that says how the file is made again.

    Raises:
      UserInputError: the file is missing, cannot be read, or is another one; names it.
    """
    with _readable(path, remedy):
        data = storage.read_bytes(path)
    _compare_size(path, len(data), expected, remedy)
    if "sha256" in expected:
        _compare(path, hashlib.sha256(data).hexdigest(), expected, remedy)
    return data


def fingerprint(path: str) -> dict[str, Any]:
    """Returns what `verify` compares: `bytes` and `sha256` of a file.

    Raises:
      OSError: it cannot be read.
    """
    return {"bytes": storage.size(path), "sha256": sha256(path)}


def sha256(path: str) -> str:
    """Returns the sha256 of a file, hexadecimal; of an unchanged one from memory.

    Raises:
      OSError: it cannot be read.
    """
    stamp = stamps.stamp(path)
    is_settled = 0 < max(stamp[1:]) < time.time_ns() - _SETTLED_NANOSECONDS
    return _remembered(path, stamp) if is_settled else _hashed(path)


@functools.lru_cache(maxsize=1 << 16)
def _remembered(path: str, stamp: Stamp) -> str:
    return _hashed(path)


def _hashed(path: str) -> str:
    digest = hashlib.sha256()
    for chunk in storage.chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _readable(path: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserInputError(f"{path!r} cannot be read: {error}. {remedy}") from error


def _compare_size(path: str, size: int, expected: Mapping[str, Any], remedy: str) -> None:
    if size != expected.get("bytes", size):
        raise UserInputError(
            f"{path!r} has {size} bytes, expected {expected['bytes']}: it was cut or replaced "
            f"after it was written. {remedy}"
        )


def _compare(path: str, found: str, expected: Mapping[str, Any], remedy: str) -> None:
    if found != expected["sha256"]:
        raise UserInputError(
            f"{path!r} is damaged or another file: its sha256 is {found}, expected "
            f"{expected['sha256']}. {remedy}"
        )
