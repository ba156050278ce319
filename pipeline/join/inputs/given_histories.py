"""Given behavior sequences (`--histories`), opened and read as events.

Parquet with `user_id`, a list `item_id` oldest first, and optionally lists `timestamp` (in the
log's unit) and `type`. Without timestamps a sequence counts
for every request of its user, with time gaps of 0. With a column `split` a sequence counts for
the user's requests of that split alone.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import UserInputError
from features.ids import hashing
from pipeline.join.inputs.event_batches import (
    ValidatedBatch,
    categorical,
    numpy_of,
    validated,
)
from pipeline.join.inputs.event_log import ReadUnit, row_groups
from pipeline.join.inputs.log_columns import LogColumns
from pipeline.join.inputs.prior_events import prior_events
from pipeline.join.inputs.sequence_checks import SPLIT, list_lengths, reasons_against
from pipeline.join.inputs.time_unit_check import check_timestamps
from pipeline.join.options import JoinOptions
from pipeline.join.rules import splits
from pipeline.tables import parquet

HISTORIES = "histories"

_FIRST_ROWS = 1 << 10
"""Sequences of a file whose times are looked at before the join starts."""

UNTIMED = -(1 << 60)
"""Microseconds of the first behavior of a sequence without timestamps; the others follow."""


@dataclasses.dataclass(frozen=True)
class GivenHistories:
    """Given behavior sequences that passed the pre-flight.

    Attributes:
      units: row groups, in order.
      rows: how many sequences there are.
      inputs: the files' fingerprints.
    """

    units: tuple[ReadUnit, ...] = ()
    rows: int = 0
    inputs: tuple[dict[str, object], ...] = ()


def open_histories(
    options: JoinOptions, user_kind: dict[str, pa.DataType], item_kind: dict[str, pa.DataType]
) -> GivenHistories:
    """Opens the given sequences, if there are any, and checks every file's schema.

    Args:
      options: of the join.
      user_kind: the type of the log's `user_id` by file.
      item_kind: the type of the log's `item_id` by file.

    Raises:
      UserInputError: a file is unreadable, or lacks a column or holds it in another type.
    """
    if options.histories is None:
        return GivenHistories()
    files = parquet.open_files(options.histories, HISTORIES)
    for path, file in files.items():
        schema = file.schema_arrow
        parquet.check_column(path, schema, "user_id", parquet.is_id, "int64 or string")
        parquet.check_column(path, schema, "item_id", _list_of(parquet.is_id), "a list of ids")
        for name in ("timestamp", "type"):
            if name in schema.names:
                accepts = _list_of(parquet.is_integer)
                parquet.check_column(path, schema, name, accepts, "a list of integers")
        if "timestamp" in schema.names and file.metadata.num_rows:
            lists = next(file.iter_batches(_FIRST_ROWS, columns=["timestamp"]))["timestamp"]
            times = pc.list_flatten(lists).drop_null().cast(pa.int64()).to_numpy()
            check_timestamps(times, options.timestamp_unit, path, HISTORIES)
        if SPLIT in schema.names:
            _check_split(path, schema, options)
        parquet.same_kind({**user_kind, path: schema.field("user_id").type}, "user_id")
        parquet.same_kind({**item_kind, path: schema.field("item_id").type.value_type}, "item_id")
    return GivenHistories(
        units=row_groups(HISTORIES, files),
        rows=sum(file.metadata.num_rows for file in files.values()),
        inputs=tuple(parquet.footer_fingerprint(path) for path in files),
    )


def read_histories(unit: ReadUnit, columns: LogColumns) -> Iterator[ValidatedBatch]:
    """Reads and validates a row group of given sequences; events are their behaviors."""
    options = columns.options
    return validated(
        unit,
        lambda batch: reasons_against(batch, options.timestamp_unit, options.history_types),
        lambda batch, rows: _behaviors(batch, columns, unit.file, rows),
    )


def _check_split(path: str, schema: pa.Schema, options: JoinOptions) -> None:
    """Checks that sequences by split meet a log that names splits."""
    parquet.check_column(path, schema, SPLIT, parquet.is_text, "string")
    if options.split_column is None:
        raise UserInputError(
            f"--histories: {path!r} has a column {SPLIT!r}, so each sequence is of one split, but "
            "the log's splits are not named by a column. Give --split_column, or leave it out."
        )


def _behaviors(
    batch: pa.RecordBatch, columns: LogColumns, file: int, rows: np.ndarray
) -> pa.RecordBatch:
    """Returns the behaviors of good sequences as events."""
    # Sequences of lengths 2 0 1 are events of rows 0 0 2 at positions 0 1 0.
    lengths = list_lengths(batch["item_id"])
    row = np.repeat(np.arange(batch.num_rows), lengths)
    ends = np.cumsum(lengths)
    position = np.arange(len(row)) - (ends - lengths)[row]
    values = {
        "user": hashing.ids_of_column(batch["user_id"])[row],
        "item": categorical(parquet.decoded(pc.list_flatten(batch["item_id"]))),
        "time": UNTIMED + position,
        "type": np.zeros(len(row), np.int8),
        "behavior": np.ones(len(row), bool),
    }
    kept = np.ones(len(row), bool)
    if "timestamp" in batch.schema.names:
        unit = splits.MICROSECONDS[columns.options.timestamp_unit]
        values["time"] = numpy_of(pc.list_flatten(batch["timestamp"])).astype(np.int64) * unit
    else:
        kept = position >= lengths[row] - columns.options.history_length
    if SPLIT in batch.schema.names:
        index = pc.index_in(batch[SPLIT], pa.array(splits.FRACTION_SPLITS))
        values["split"] = numpy_of(index).astype(np.int8)[row]
    if "type" in batch.schema.names:
        values["type"] = numpy_of(pc.list_flatten(batch["type"])).astype(np.int8)
    values = {name: array[kept] for name, array in values.items()}
    return prior_events(columns, values, file, rows[row][kept], position[kept])


def _list_of(accepts: Callable[[pa.DataType], bool]) -> Callable[[pa.DataType], bool]:
    def is_list(kind: pa.DataType) -> bool:
        return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and accepts(kind.value_type)

    return is_list
