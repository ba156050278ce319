"""What is wrong or odd in the statistics of an embedding set."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.statistics.findings import Finding, bad_rows, share
from pipeline.statistics.options import CheckLimits

_EARLIEST = 631_152_000_000_000
"""1990, microseconds since 1970."""


def find(modality: str, values: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    """Yields the findings of an embedding set.

    Args:
      modality: its name.
      values: from `pipeline.statistics.embeddings.embedding_statistics`.
      limits: what is too much.
    """
    subject = f"embeddings.{modality}"
    usable, zero = values["usable"], values["zero"]
    if not usable:
        text = f"none of {values['rows']:,} rows is usable: {values['rejected']}."
        yield Finding("error", "embeddings_empty", subject, text)
        return
    rejected = sum(values["rejected"].values())
    if severity := bad_rows(rejected, values["rows"], limits.bad):
        text = f"{rejected:,} of {values['rows']:,} rows are left out: {values['rejected']}."
        yield Finding(severity, "embeddings_rejected", subject, text)
    if zero:
        text = f"{zero:,} of {usable:,} vectors are zero, which counts as no embedding."
        yield Finding("error" if zero == usable else "warning", "zero_vectors", subject, text)
    same = values["largest_group"]
    if usable > 1 and values["distinct"] == 1 and not zero:
        text = f"all {usable:,} items have the same vector: no similarity differs. Encode again."
        yield Finding("error", "same_vector", subject, text)
    elif same > 1 and share(same, usable) > limits.same_vector:
        text = (
            f"{same:,} of {usable:,} items share one vector, more than {limits.same_vector:.0%}. "
            "The encoding of an empty input? Leave such items out."
        )
        yield Finding("warning", "same_vector", subject, text)
    if (time := values["available_at"]) and 0 < time["max"] < _EARLIEST:
        text = (
            f"the latest available_at, {time['max']}, is before 1990 in microseconds. Write it in "
            "microseconds, whatever the log's unit."
        )
        yield Finding("error", "available_at_unit", subject, text)
    if "coverage" in values:
        yield from _coverage(subject, values["coverage"], limits)


def coverage(subject: str, of: str, found: float, limits: CheckLimits) -> Iterator[Finding]:
    """Yields a finding where too little is covered.

    Args:
      subject: what covers.
      of: what is covered, in the plural.
      found: the share.
      limits: what is too little.
    """
    if found < limits.coverage:
        poor = found < limits.least_coverage
        limit = limits.least_coverage if poor else limits.coverage
        advice = " Are these the ids of the log?" if poor else ""
        text = f"{found:.1%} of the {of} have an embedding, fewer than {limit:.1%}.{advice}"
        yield Finding("error" if poor else "warning", "coverage", subject, text)


def _coverage(subject: str, values: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    if not values["same_kind_of_id"]:
        text = "item_id is a string on one side and an integer on the other. Write both alike."
        yield Finding("error", "id_kind", subject, text)
        return
    yield from coverage(subject, "events", values["event_share"], limits)
    in_time, covered = values["in_time_share"], values["event_share"]
    if in_time < limits.coverage <= covered:
        text = (
            f"{covered:.1%} of the events have an embedding, but only {in_time:.1%} had it by "
            "then. Is available_at the time of a later backfill?"
        )
        yield Finding("warning", "coverage_in_time", subject, text)
