"""Data files opened with their checks: what a manifest says of a file, compared with the file.

A local file is hashed once per process as long as it stays the same file, with the same size and
times. Of a remote file only the size is compared unless the caller asks for more: hashing would
read it twice over the network.
"""

import functools
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from features.errors import UserInputError
from features.files import manifest, storage
from features.files.file_system import is_remote, local_path


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
    try:
        size = storage.size(path)
    except OSError as error:
        raise UserInputError(f"{path!r} cannot be read: {error}. {remedy}") from error
    if size != expected.get("bytes", size):
        raise UserInputError(
            f"{path!r} has {size} bytes, expected {expected['bytes']}: it was cut or replaced "
            f"after it was written. {remedy}"
        )
    if "sha256" not in expected or (is_remote(path) and not stream):
        return
    try:
        found = sha256(path)
    except OSError as error:
        raise UserInputError(f"{path!r} cannot be read: {error}. {remedy}") from error
    _compare(path, found, expected, remedy)


def read_bytes(path: str, expected: Mapping[str, Any], remedy: str) -> bytes:
    """Returns a file's content, compared with what is known of it.

    Args:
      path: local or remote.
      expected: `bytes`, `sha256` (hexadecimal), or both; other keys are ignored.
      remedy: a sentence that says how the file is made again.

    Raises:
      UserInputError: the file is missing, cannot be read, or is another one; names it.
    """
    try:
        data = storage.read_bytes(path)
    except OSError as error:
        raise UserInputError(f"{path!r} cannot be read: {error}. {remedy}") from error
    if len(data) != expected.get("bytes", len(data)):
        raise UserInputError(
            f"{path!r} has {len(data)} bytes, expected {expected['bytes']}: it was cut or replaced "
            f"after it was written. {remedy}"
        )
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
    """Returns the sha256 of a file, hexadecimal; of an unchanged local file from memory.

    Raises:
      OSError: it cannot be read.
    """
    if is_remote(path):
        return manifest.file_sha256(path)
    found = os.stat(local_path(path))
    times = found.st_mtime_ns, found.st_ctime_ns
    return _local_sha256(path, (found.st_dev, found.st_ino, found.st_size, *times))


@functools.lru_cache(maxsize=1 << 16)
def _local_sha256(path: str, state: tuple[int, ...]) -> str:
    return manifest.file_sha256(path)


def _compare(path: str, found: str, expected: Mapping[str, Any], remedy: str) -> None:
    if found != expected["sha256"]:
        raise UserInputError(
            f"{path!r} is damaged or another file: its sha256 is {found}, expected "
            f"{expected['sha256']}. {remedy}"
        )
