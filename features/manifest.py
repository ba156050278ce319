"""What makes an output folder a data set: `manifest.json`, written last.

A folder without a manifest is an unfinished or failed write and is never read as data.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from features.errors import UserInputError

FILE_NAME = "manifest.json"

CODE_VERSION = "0.1.0"
"""The version of this project, as in setup.py; recorded in every manifest."""


def write_manifest(folder: str, values: Mapping[str, Any]) -> None:
    """Writes the manifest beside its final name and renames it.

    Args:
      folder: an existing folder whose other files are complete.
      values: JSON values; `code_version` is added.
    """
    text = json.dumps({**values, "code_version": CODE_VERSION}, indent=2, sort_keys=True)
    path = tf.io.gfile.join(folder, FILE_NAME)
    with tf.io.gfile.GFile(path + ".tmp", "w") as file:
        file.write(text + "\n")
    tf.io.gfile.rename(path + ".tmp", path, overwrite=True)


def read_manifest(folder: str) -> dict[str, Any]:
    """Reads a folder's manifest.

    Raises:
      UserInputError: the folder has no manifest, or it is not JSON.
    """
    path = tf.io.gfile.join(folder, FILE_NAME)
    if not tf.io.gfile.exists(path):
        raise UserInputError(
            f"{folder!r} has no {FILE_NAME}: it is not a complete data set. Give the folder that "
            "a finished job wrote, or run that job again."
        )
    with tf.io.gfile.GFile(path) as file:
        text = file.read()
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserInputError(
            f"{path!r} is not JSON ({error}). Write the data set again."
        ) from error


def file_sha256(path: str) -> str:
    """Returns the sha256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
