"""The JSON file that every benchmark writes."""

import json
from collections.abc import Mapping
from typing import Any

from features.files import storage
from pipeline.runtime import environment


def write(path: str | None, command: str, values: Mapping[str, Any]) -> None:
    """Writes a result with what it was measured with; does nothing without a path.

    Args:
      path: of the file, `--output`.
      command: module that was started, such as `benchmarks.join`.
      values: JSON values.
    """
    if path is None:
        return
    measured_with = {"command": environment.command(command), "environment": environment.versions()}
    text = json.dumps({**measured_with, **values}, indent=2)
    storage.write_bytes(path, f"{text}\n".encode())
