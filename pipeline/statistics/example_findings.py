"""What is wrong or odd in the statistics of joined examples."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.statistics import embedding_findings
from pipeline.statistics.findings import Finding, bad_rows, share
from pipeline.statistics.options import CheckLimits


def find(examples: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    """Yields the findings of joined examples.

    Args:
      examples: from `pipeline.statistics.examples.example_statistics`.
      limits: what is too much.
    """
    splits = examples["splits"]
    if not splits.get("train", {}).get("requests"):
        text = f"there is no request in split 'train', only {sorted(splits)}. Check the splits."
        yield Finding("error", "empty_split", "examples.train", text)
    for name, split in splits.items():
        yield from _labels(name, split)
    counts = examples["counts"]
    quarantined = sum(counts.get("quarantined", {}).values())
    if severity := bad_rows(quarantined, counts.get("read", 0), limits.bad):
        reasons = counts["quarantined"]
        text = f"{quarantined:,} of {counts['read']:,} events are in quarantine: {reasons}."
        yield Finding(severity, "quarantine", "examples", text)
    for modality, covered in examples["coverage"].items():
        subject = f"examples.{modality}"
        yield from embedding_findings.coverage(subject, "candidates", covered, limits)
    for modality, codes in examples["similarity"].items():
        yield from _similarity(modality, codes)
    lengths = splits.get("train", {}).get("history_length", {})
    cold = share(lengths.get("0", 0), sum(lengths.values()))
    if cold > limits.cold:
        text = (
            f"{cold:.1%} of the requests have no behavior, more than {limits.cold:.1%}. Check "
            "--behavior_rule, --behavior_delay and whether user ids persist."
        )
        yield Finding("warning", "empty_history", "examples.train", text)


def _labels(name: str, split: Mapping[str, Any]) -> Iterator[Finding]:
    for label, values in split["labels"].items():
        if values["rate"] in (0, 1):
            text = (
                f"{values['positives']:,} of {split['candidates']:,} candidates are positive: one "
                "class can neither be learned from nor ranked. Check the label and the splits."
            )
            subject = f"examples.{name}.{label}"
            yield Finding(
                "error" if name == "train" else "warning", "label_constant", subject, text
            )


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
