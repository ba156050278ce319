"""What a comparison of training and serving found, for people and as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from features.files import storage
from pipeline.runtime import text_table
from serving_signatures.skew.tally import Tally


def describe(tally: Tally, found: Mapping[str, Any]) -> str:
    """Returns a table of the features, a record to look at for each that differs, and counts.

    Args:
      tally: what was compared.
      found: how much was replayed.
    """
    rows = [("feature", "compared", "different", "largest", "set apart")]
    for one in tally.worst_first():
        counts = f"{one.compared:,}", f"{one.different:,}", f"{one.largest:.3g}"
        rows.append((one.feature, *counts, f"{one.set_apart:,}"))
    worst = [one.worst_line() for one in tally.worst_first() if one.different]
    return "\n".join([text_table.aligned(rows), *worst, json.dumps(found)])


def verdict(found: Mapping[str, Any]) -> str:
    """Returns the last line where nothing differs.

    Args:
      found: how much was replayed.
    """
    if found.get("requests", {}).get("redacted"):
        return "What could be compared is equal."
    return "Training and serving are equal."


def write(path: str, values: Mapping[str, Any]) -> None:
    """Writes what was compared as JSON, to a local or remote file."""
    text = json.dumps(values, indent=2, sort_keys=True)
    storage.write_bytes(path, f"{text}\n".encode())
