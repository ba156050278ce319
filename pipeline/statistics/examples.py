"""Statistics of joined examples, from what the join counted, and their findings."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.statistics import findings
from pipeline.statistics.findings import Finding
from pipeline.statistics.options import CheckLimits


def example_statistics(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the statistics of a data set from its manifest.

    Args:
      manifest: of `pipeline.build_examples`; what it lacks, the statistics lack.

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
    labels = {
        label: {"positives": positives, "rate": positives / candidates if candidates else None}
        for label, positives in values.get("positives", {}).items()
    }
    kept = ("history_length", "candidates_per_request", "time_range")
    return {
        "requests": values["requests"],
        "candidates": candidates,
        "labels": labels,
        **{key: values[key] for key in kept if key in values},
    }


def find(examples: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    """Yields the findings in what `example_statistics` returned."""
    splits = examples["splits"]
    if not splits.get("train", {}).get("requests"):
        text = f"there is no request in split 'train', only {sorted(splits)}. Check the splits."
        yield Finding("error", "empty_split", "examples.train", text)
    for name, split in splits.items():
        yield from _labels(name, split)
    counts = examples["counts"]
    quarantined, read = counts.get("quarantined", {}), counts.get("read", 0)
    bad = sum(quarantined.values())
    text = f"{bad:,} of {read:,} events are in quarantine: {quarantined}."
    yield from findings.bad_rows(bad, read, limits, "quarantine", "examples", text)
    for modality, covered in examples["coverage"].items():
        yield from findings.coverage(f"examples.{modality}", "candidates", covered, limits)
    for modality, codes in examples["similarity"].items():
        yield from _similarity(modality, codes)
    lengths = splits.get("train", {}).get("history_length", {})
    cold = findings.share(lengths.get("0", 0), sum(lengths.values()))
    if cold > limits.max_cold_share:
        text = (
            f"{cold:.1%} of the requests have no behavior, more than {limits.max_cold_share:.1%}. "
            "Check --behavior_rule, --behavior_delay and whether user ids persist."
        )
        yield Finding("warning", "empty_history", "examples.train", text)


def _labels(name: str, split: Mapping[str, Any]) -> Iterator[Finding]:
    severity: findings.Severity = "error" if name == "train" else "warning"
    for label, values in split["labels"].items():
        if values["rate"] in (0, 1):
            text = (
                f"{values['positives']:,} of {split['candidates']:,} candidates are positive: one "
                "class can neither be learned from nor ranked. Check the label and the splits."
            )
            yield Finding(severity, "label_constant", f"examples.{name}.{label}", text)


def _similarity(modality: str, codes: Mapping[str, Any]) -> Iterator[Finding]:
    pairs = [sum(both) for both in zip(codes["label_0"], codes["label_1"], strict=True)]
    known = [code for code, count in enumerate(pairs) if count and code]
    subject = f"examples.{modality}"
    if sum(pairs) and not known:
        text = "no pair of candidate and behavior has a similarity: ids or vectors are missing."
        yield Finding("error", "similarity_unknown", subject, text)
    elif len(known) == 1 and sum(pairs) > 1:
        text = f"every known similarity code is {known[0]}: all embeddings point one way."
        yield Finding("error", "similarity_constant", subject, text)
