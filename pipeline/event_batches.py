"""Reading the log as Arrow batches, and telling good rows from bad ones, vectorised."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import hashing, storage
from pipeline import parquet, splits
from pipeline.event_log import REQUEST_ID, LogColumns, ReadUnit

BATCH_ROWS = 1 << 16

_LATEST = 7_289_654_400
"""2201-01-01, seconds since 1970."""


@dataclasses.dataclass(frozen=True)
class ValidatedBatch:
    """A batch of the log after validation.

    Attributes:
      events: good rows, see `event_schema`.
      rejected: the rows as they were read.
      rows: `[bad]` int64, their positions in the file.
      reasons: `[bad]` str.
    """

    events: pa.RecordBatch
    rejected: pa.RecordBatch
    rows: np.ndarray
    reasons: np.ndarray


def event_schema(columns: LogColumns) -> pa.Schema:
    """Returns the schema of events between the join's steps.

    `user`, `item`, `request`: int64 ids; `time`: int64 microseconds; `file`, `row`: where the
    event was read; `content`: hash over all columns of the row; `behavior`: whether it becomes
    one; `type`: of behavior; `label_<name>` float32; `context_<name>` int64 or float32.
    """
    fields = [(name, pa.int64()) for name in ("user", "item", "time", "request", "row", "content")]
    fields += [("file", pa.int32()), ("behavior", pa.bool_()), ("type", pa.int8())]
    fields += [(f"label_{name}", pa.float32()) for name in columns.labels]
    fields += [
        (f"context_{one.name}", pa.int64() if one.kind == "categorical" else pa.float32())
        for one in columns.context
    ]
    return pa.schema(fields)


def read_batches(unit: ReadUnit, columns: LogColumns) -> Iterator[ValidatedBatch]:
    """Reads and validates a row group.

    Raises:
      pa.ArrowException, OSError: the row group is not readable.
    """
    first_row = unit.first_row
    with storage.open_parquet(unit.path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=[unit.row_group]):
            yield validate(_decoded(batch), columns, unit.file, first_row)
            first_row += batch.num_rows


def validate(
    batch: pa.RecordBatch, columns: LogColumns, file: int, first_row: int
) -> ValidatedBatch:
    """Splits a batch into events and rejected rows.

    Args:
      batch: `[N]` rows with every column of the log.
      columns: what is read of it.
      file: the file's position in the log.
      first_row: the batch's position in the file.
    """
    reasons = _reasons(batch, columns)
    good = reasons == ""
    rows = first_row + np.arange(batch.num_rows)
    kept = batch if good.all() else batch.filter(pa.array(good))
    return ValidatedBatch(
        events=_events(kept, columns, file, rows[good]),
        rejected=batch.filter(pa.array(~good)),
        rows=rows[~good],
        reasons=reasons[~good],
    )


def _reasons(batch: pa.RecordBatch, columns: LogColumns) -> np.ndarray:
    """Returns the first reason against each row, empty for good rows; `[N]` str."""
    reasons = np.full(batch.num_rows, "", object)

    def object_to(mask: np.ndarray, reason: str) -> None:
        reasons[mask & (reasons == "")] = reason

    required = ["user_id", "item_id", "timestamp", *columns.stored_labels]
    required += [REQUEST_ID] if columns.has_request_id else []
    required += [name for name in columns.expression_columns if name not in required]
    for name in required:
        if batch[name].null_count:
            object_to(_numpy(batch[name].is_null()), f"{name} is null")
    limit = _LATEST * (1_000_000 // splits.MICROSECONDS[columns.timestamp_unit])
    timestamps = _numpy(batch["timestamp"].fill_null(0))
    object_to((timestamps < 0) | (timestamps >= limit), "timestamp is negative or after 2200")
    numeric = [one.name for one in columns.context if one.kind == "numeric"]
    for name in dict.fromkeys([*columns.stored_labels, *columns.expression_columns, *numeric]):
        if pa.types.is_floating(batch[name].type):
            values = _numpy(batch[name].fill_null(0))
            object_to(~np.isfinite(values), f"{name} is NaN or infinite")
    for label in columns.stored_labels:
        values = _numpy(batch[label].fill_null(False if _is_boolean(batch[label]) else 0))
        object_to((values != 0) & (values != 1), f"{label} is not 0 or 1")
    return reasons


def _events(
    batch: pa.RecordBatch, columns: LogColumns, file: int, rows: np.ndarray
) -> pa.RecordBatch:
    """Returns the events of good rows."""
    count = batch.num_rows
    values = {name: batch[name] for name in batch.schema.names}
    for name, expression in columns.derived.items():
        values[name] = pa.array(expression.evaluate(values).astype(np.float32))
    unit = splits.MICROSECONDS[columns.timestamp_unit]
    user = hashing.ids_of_column(batch["user_id"])
    time = _numpy(batch["timestamp"]).astype(np.int64) * unit
    rule, kind = columns.behavior_rule, columns.behavior_type
    events = {
        "user": user,
        "item": hashing.ids_of_column(batch["item_id"]),
        "time": time,
        "request": hashing.ids_of_column(batch[REQUEST_ID])
        if columns.has_request_id
        else hashing.combine(user, time),
        "row": rows,
        "content": _content(batch),
        "file": np.full(count, file, np.int32),
        "behavior": rule.evaluate(values) if rule else np.ones(count, bool),
        "type": (kind.evaluate(values) if kind else np.zeros(count, bool)).astype(np.int8),
    }
    for label in columns.labels:
        events[f"label_{label}"] = _numpy(values[label]).astype(np.float32)
    for feature in columns.context:
        column = batch[feature.name]
        if feature.kind == "categorical":
            events[f"context_{feature.name}"] = categorical(column)
        else:
            filled = column.fill_null(False if _is_boolean(column) else 0)
            events[f"context_{feature.name}"] = _numpy(filled).astype(np.float32)
    schema = event_schema(columns)
    return pa.record_batch([pa.array(events[name]) for name in schema.names], schema=schema)


def categorical(column: pa.Array) -> np.ndarray:
    """Returns `[N]` int64: integers as they are, strings by fingerprint, null as 0."""
    known = _numpy(column.is_valid())
    ids = np.zeros(len(column), np.int64)
    ids[known] = hashing.ids_of_column(column.drop_null())
    return ids


def _content(batch: pa.RecordBatch) -> np.ndarray:
    """Returns a hash of each row over all columns; equal rows have equal hashes."""
    digest = np.zeros(batch.num_rows, np.int64)
    for name in sorted(batch.schema.names):
        column = batch[name]
        if parquet.is_id(column.type):
            values = categorical(column)
        elif pa.types.is_floating(column.type):
            values = _numpy(column.fill_null(0)).astype(np.float64).view(np.int64)
        elif _is_boolean(column):
            values = _numpy(column.fill_null(False)).astype(np.int64)
        else:
            texts = np.array([repr(value) for value in column.to_pylist()], object)
            values = hashing.fingerprint_strings(texts)
        digest = hashing.combine(digest, values)
        if column.null_count:
            digest = hashing.combine(digest, _numpy(column.is_null()).astype(np.int64))
        else:
            digest = hashing.combine(digest, np.zeros(len(digest), np.int64))
    return digest


def _decoded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Returns the batch without dictionary encoding."""
    columns = [
        pc.dictionary_decode(column) if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.record_batch(columns, names=batch.schema.names)


def _is_boolean(column: pa.Array) -> bool:
    return pa.types.is_boolean(column.type)


def _numpy(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False)
