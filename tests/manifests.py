"""Manifests as an earlier version wrote them, or as somebody changed them."""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from features.files import manifest


def earlier(path: Path, without: Collection[str] = ()) -> dict[str, Any]:
    """Rewrites a manifest as an earlier version did: without a checksum, and without some keys."""
    values = json.loads(path.read_text())
    for key in ("checksum", "manifest_version", *without):
        values.pop(key, None)
    path.write_text(json.dumps(values))
    return values


def change(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Changes values, and writes the checksum that belongs to them."""
    values = json.loads(path.read_text())
    edit(values)
    manifest.write_values(str(path), values)
