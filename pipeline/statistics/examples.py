"""Statistics of joined examples, from what the join counted."""

from collections.abc import Mapping
from typing import Any


def example_statistics(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a manifest of `pipeline.build_examples` says of its data set.

    Args:
      manifest: its values; what it lacks, the statistics lack.

    Returns:
      JSON values: `schema` (labels, modalities with their dimension, history length, side
      features by name), `counts`, `splits` (by name `requests`, `candidates`, `labels` with
      `positives` and `rate`, `history_length`, `candidates_per_request`, `time_range`),
      `similarity` (by modality the 256 code counts of `label_0` and `label_1`) and `coverage`
      (by modality, of candidates).
    """
    schema = manifest["schema"]
    sets = manifest.get("embedding_sets", {})
    return {
        "schema": {
            "labels": list(schema["labels"]),
            "modalities": {one["name"]: one["dimension"] for one in schema["modalities"]},
            "history_length": schema["history_length"],
            "item_features": {one["name"]: one["kind"] for one in schema["item_features"]},
            "context_features": {one["name"]: one["kind"] for one in schema["context_features"]},
        },
        "counts": dict(manifest.get("counts", {})),
        "splits": {name: _split(one) for name, one in manifest["splits"].items()},
        "similarity": dict(manifest.get("similarity", {})),
        "coverage": {name: one["coverage"] for name, one in sets.items() if "coverage" in one},
    }


def _split(values: Mapping[str, Any]) -> dict[str, Any]:
    candidates = values["candidates"]
    told: dict[str, Any] = {"requests": values["requests"], "candidates": candidates}
    told["labels"] = {
        label: {"positives": positives, "rate": positives / candidates if candidates else None}
        for label, positives in values.get("positives", {}).items()
    }
    for key in ("history_length", "candidates_per_request", "time_range"):
        if key in values:
            told[key] = values[key]
    return told
