"""`manifest.json`, written last, marks an output folder as a complete data set.

A folder without a manifest is an unfinished or failed write, and is never read as data.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from features.errors import UserInputError
from features.files import storage
from features.version import VERSION

FILE_NAME = "manifest.json"


def write_manifest(folder: str, values: Mapping[str, Any]) -> None:
    """Writes the manifest atomically.

    Args:
      folder: local or remote, see `storage`; its other files are complete.
      values: JSON values; `code_version` is added.
    """
    text = json.dumps({**values, "code_version": VERSION}, indent=2, sort_keys=True)
    storage.write_bytes(storage.join(folder, FILE_NAME), f"{text}\n".encode())


def read_manifest(folder: str) -> dict[str, Any]:
    """Reads a folder's manifest.

    Raises:
      UserInputError: the folder has no manifest, or it is not JSON.
    """
    path = storage.join(folder, FILE_NAME)
    if not storage.is_file(path):
        raise UserInputError(
            f"{folder!r} has no {FILE_NAME}: it is not a complete data set. Give the folder that "
            "a finished job wrote, or run that job again."
        )
    text = storage.read_bytes(path)
    try:
        values: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise UserInputError(
            f"{path!r} is not JSON ({error}). Write the data set again."
        ) from error
    return values


def file_sha256(path: str) -> str:
    """Returns the sha256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    for chunk in storage.chunks(path):
        digest.update(chunk)
    return digest.hexdigest()
