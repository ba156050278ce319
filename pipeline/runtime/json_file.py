"""JSON files, written atomically."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.errors import UserInputError


def write(path: str, values: Mapping[str, Any]) -> None:
    """Writes a local file and renames it, so that a killed job leaves no partial file.

    NumPy scalars are written as Python's.
    """
    with open(f"{path}.unfinished", "w") as file:
        json.dump(values, file, indent=2, default=np.generic.item)
        file.write("\n")
    os.replace(f"{path}.unfinished", path)


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
