"""What a delivery is refused for: other times, another space, other ids, too many bad rows."""

from typing import Any

import numpy as np
from absl import logging

from features import id_kinds, time_units
from features.embeddings import availability
from features.embeddings.embedding_files import EmbeddingFiles
from features.errors import UserInputError
from features.id_kinds import Kind
from features.ids import coverage
from pipeline.embedding_sets import embedding_versions
from pipeline.embedding_sets.delivery import Delivery


def check_times(files: EmbeddingFiles, available_at: int | None, unit: str) -> None:
    """Refuses times that are plausible in another unit only."""
    availability.check_unit(files.table, unit, "Give --available_at_unit {unit}.")
    given = np.array([] if available_at is None else [available_at], np.int64)
    fitting = time_units.fitting_unit(given, "us")
    if fitting is not None:
        raise UserInputError(
            f"--available_at {available_at}: {time_units.misfit(given, 'us', fitting)}. Give it in "
            "microseconds; --available_at_unit is of the column alone."
        )


def check_alike(
    before: dict[str, Any], encoder: str, encoder_version: str, dimension: int | None
) -> None:
    """Refuses vectors whose encoder or width differs from the version before."""
    expected = (before["encoder"], before["version"], before["dimension"])
    received = (encoder, encoder_version, dimension or before["dimension"])
    if received != expected:
        raise UserInputError(
            f"The set is of encoder, version and dimension {expected}, the new vectors of "
            f"{received}: their similarities would mean nothing. Give another --output, or "
            "--replace if the new vectors are the whole set."
        )


def check_kind(
    received: Kind | None, vectors: str, expected: Kind | None, output: str, other: str
) -> None:
    """Refuses ids of another kind than the set's; `other` is what else can be done."""
    remedy = f"Write item_id as the set has it, or {other}."
    id_kinds.check(received, f"--vectors {vectors!r}", expected, f"--output {output!r}", remedy)


def check_replacement(
    output: str, files: EmbeddingFiles, delivery: Delivery, vectors: str, min_coverage: float
) -> None:
    """Refuses vectors of other items than those that they replace, unless told."""
    try:
        item_ids, kind = embedding_versions.published_ids(output)
    except UserInputError as error:
        logging.warning("The version before cannot be compared, and is replaced: %s", error)
        return
    if min_coverage:
        other = "give --min_coverage 0 too, which replaces a set by one of other items"
        check_kind(files.item_kind, vectors, kind, output, other)
    found = int(np.isin(item_ids, delivery.vectors.item_ids).sum())
    things = "items of the version before have a vector in the new one"
    coverage.check(f"--replace of {output!r}", found, len(item_ids), things, min_coverage)


def check_counts(delivery: Delivery, vectors: str, max_bad_fraction: float) -> None:
    """Refuses a delivery of which too many rows are bad."""
    bad, good = len(delivery.rejected), len(delivery.vectors.item_ids)
    if bad + good != delivery.rows:
        raise RuntimeError(f"Rows went missing: read {delivery.rows}, {good} good, {bad} bad.")
    if not good or bad > max_bad_fraction * delivery.rows:
        raise UserInputError(
            f"--vectors {vectors!r}: {bad} of {delivery.rows} rows are bad, more than "
            f"--max_bad_fraction {max_bad_fraction}: {delivery.reasons}. Fix the rows or raise "
            "--max_bad_fraction."
        )
