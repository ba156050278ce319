"""JSON files, written atomically."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.errors import UserInputError
from features.files import storage


def write(path: str, values: Mapping[str, Any]) -> None:
    """Writes a file that appears whole or not at all; NumPy scalars are written as Python's."""
    text = json.dumps(values, indent=2, default=np.generic.item)
    storage.write_bytes(path, f"{text}\n".encode())


def read(path: str, flag: str) -> dict[str, Any]:
    """Reads a JSON object from a local file; messages name the `flag`.

    Raises:
      UserInputError: the file does not exist, or is not a JSON object.
    """
    try:
        with open(path) as file:
            values = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise UserInputError(f"{flag} {path!r} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise UserInputError(f"{flag} {path!r} must hold an object, received {values!r:.80}.")
    return values
