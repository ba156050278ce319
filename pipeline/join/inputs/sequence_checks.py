"""Validation of given behavior sequences, vectorized."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import kinds, times
from pipeline.join.inputs.event_batches import numpy_of
from pipeline.join.rules import splits

SPLIT = "split"
"""The column of given sequences that are of one split each."""


def reasons_against(batch: pa.RecordBatch, timestamp_unit: str, types: int) -> np.ndarray:
    """Returns the first reason against each sequence, empty for good ones; `[N]` str.

    Args:
      batch: `[N]` sequences, without dictionary encoding.
      timestamp_unit: `s`, `ms`, `us` or `ns`.
      types: how many values `type` takes.
    """
    reasons = np.full(batch.num_rows, "", object)

    def object_to(mask: np.ndarray, reason: str) -> None:
        reasons[mask & (reasons == "")] = reason

    for name in ("user_id", "item_id"):
        object_to(numpy_of(batch[name].is_null()), f"{name} is null")
    if kinds.is_text(batch["user_id"].type):
        empty = pc.equal(pc.binary_length(batch["user_id"]), 0)
        object_to(numpy_of(empty.fill_null(False)), "user_id is empty")
    if SPLIT in batch.schema.names:
        known = pc.is_in(batch[SPLIT], pa.array(splits.FRACTION_SPLITS))
        object_to(~numpy_of(known), f"{SPLIT} is not {', '.join(splits.FRACTION_SPLITS)}")
    lengths = list_lengths(batch["item_id"])
    object_to(_any_null(batch["item_id"]), "item_id holds a null")
    names = [name for name in ("timestamp", "type") if name in batch.schema.names]
    for name in names:
        object_to(list_lengths(batch[name]) != lengths, f"{name} and item_id differ in length")
        object_to(_any_null(batch[name]), f"{name} holds a null")
    if "timestamp" in names:
        flat = pc.list_flatten(batch["timestamp"])
        time, known = times.microseconds(flat, timestamp_unit)
        beyond = _any(batch["timestamp"], pa.array(~known))
        object_to(beyond, times.reason("timestamp", flat.type))
        falls = _falls(batch["timestamp"], time)
        object_to(falls, "timestamp is not ascending (oldest first)")
    if "type" in names:
        beyond = _any_outside(batch["type"], types)
        object_to(beyond, f"type is not in [0, {types}) (--history_types)")
    return reasons


def list_lengths(column: pa.Array) -> np.ndarray:
    """Returns the length of each list, 0 for null; `[N]` int64."""
    return numpy_of(pc.fill_null(pc.list_value_length(column), 0)).astype(np.int64)


def _any_null(column: pa.Array) -> np.ndarray:
    """Returns whether each list holds a null, `[N]` bool."""
    return _any(column, pc.is_null(pc.list_flatten(column)))


def _any_outside(column: pa.Array, limit: int) -> np.ndarray:
    """Returns whether each list holds a value outside `[0, limit)`, `[N]` bool."""
    flat = pc.list_flatten(column)
    return _any(column, pc.or_(pc.less(flat, 0), pc.greater_equal(flat, limit)))


def _any(column: pa.Array, elements: pa.Array) -> np.ndarray:
    parents = numpy_of(pc.list_parent_indices(column))
    found = numpy_of(pc.fill_null(elements, False))
    return np.bincount(parents[found], minlength=len(column)).astype(bool)


def _falls(column: pa.Array, flat: np.ndarray) -> np.ndarray:
    """Returns whether each list has an element below the one before it, `[N]` bool."""
    parents = numpy_of(pc.list_parent_indices(column))
    falls = np.zeros(len(column), bool)
    drop = (np.diff(flat) < 0) & (np.diff(parents) == 0)
    falls[parents[1:][drop]] = True
    return falls
