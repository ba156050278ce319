"""Findings in the statistics of an embedding set."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from features import time_units
from features.arrays import Integers
from pipeline.statistics import findings
from pipeline.statistics.findings import Finding
from pipeline.statistics.options import CheckLimits


def find(modality: str, values: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    """Yields the findings in what `embeddings.embedding_statistics` returned of a modality."""
    subject = f"embeddings.{modality}"
    usable, zero, rows = values["usable"], values["zero"], values["rows"]
    if not usable:
        text = f"none of {rows:,} rows is usable: {values['rejected']}."
        yield Finding("error", "embeddings_empty", subject, text)
        return
    rejected = sum(values["rejected"].values())
    text = f"{rejected:,} of {rows:,} rows are left out: {values['rejected']}."
    yield from findings.bad_rows(rejected, rows, limits, "embeddings_rejected", subject, text)
    if zero:
        text = f"{zero:,} of {usable:,} vectors are zero, which counts as no embedding."
        yield Finding("error" if zero == usable else "warning", "zero_vectors", subject, text)
    same, most = values["largest_group"], limits.max_same_vector_share
    if usable > 1 and values["distinct"] == 1 and not zero:
        text = f"all {usable:,} items have the same vector: no similarity differs. Encode again."
        yield Finding("error", "same_vector", subject, text)
    elif same > 1 and findings.share(same, usable) > most:
        text = (
            f"{same:,} of {usable:,} items share one vector, more than {most:.0%}. "
            "The encoding of an empty input? Leave such items out."
        )
        yield Finding("warning", "same_vector", subject, text)
    if time := values["available_at"]:
        yield from _unit(subject, np.array([time["median"]]))
    if "coverage" in values:
        yield from _coverage(subject, values["coverage"], limits)


def _unit(subject: str, times: Integers) -> Iterator[Finding]:
    fitting = time_units.fitting_unit(times, "us")
    if fitting is not None:
        text = (
            f"available_at: {time_units.misfit(times, 'us', fitting)}. Write microseconds or "
            f"timestamps, or give --available_at_unit {fitting} to ingest_embeddings."
        )
        yield Finding("error", "available_at_unit", subject, text)


def _coverage(subject: str, values: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    if not values["same_kind_of_id"]:
        text = "item_id is a string on one side and an integer on the other. Write both alike."
        yield Finding("error", "id_kind", subject, text)
        return
    covered, in_time = values["event_share"], values["in_time_share"]
    yield from findings.coverage(subject, "events", covered, limits)
    if in_time < limits.coverage <= covered:
        text = (
            f"{covered:.1%} of the events have an embedding, but only {in_time:.1%} had it by "
            "then. Is available_at the time of a later backfill?"
        )
        yield Finding("warning", "coverage_in_time", subject, text)
