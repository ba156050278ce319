"""JSON files that are there whole or not at all."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np


def write(path: str, values: Mapping[str, Any]) -> None:
    """Writes beside the name and renames: a killed job leaves no half of a file.

    Args:
      path: local.
      values: JSON values; NumPy's scalars are taken for Python's.
    """
    with open(f"{path}.unfinished", "w") as file:
        json.dump(values, file, indent=2, default=_plain)
        file.write("\n")
    os.replace(f"{path}.unfinished", path)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON: {value!r}")
