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
from features.tables import kinds, times
from features.tables.reader import Reader, Unit
from features.tables.table import Table, open_table
from pipeline.join.inputs.event_batches import (
    ValidatedBatch,
    categorical,
    numpy_of,
    validated,
)
from pipeline.join.inputs.event_log import ReadUnit, read_units
from pipeline.join.inputs.log_columns import LogColumns
from pipeline.join.inputs.prior_events import prior_events
from pipeline.join.inputs.sequence_checks import SPLIT, list_lengths, reasons_against
from pipeline.join.inputs.time_unit_check import first_times
from pipeline.join.options import JoinOptions
from pipeline.join.rules import splits
from pipeline.tables.ids import same_kind

HISTORIES = "histories"

COLUMNS = ("user_id", "item_id", "timestamp", "type", SPLIT)

UNTIMED = -(1 << 60)
"""Microseconds of the first behavior of a sequence without timestamps; the others follow."""


@dataclasses.dataclass(frozen=True)
class GivenHistories:
    """Given behavior sequences that passed the pre-flight.

    Attributes:
      table: their files; None if no sequences are given.
    """

    table: Table | None = None

    @property
    def units(self) -> tuple[ReadUnit, ...]:
        """What is read, in order."""
        return () if self.table is None else read_units(HISTORIES, self.table)

    @property
    def reader(self) -> Reader | None:
        """Reads them, if there are any."""
        return None if self.table is None else self.table.reader

    @property
    def rows(self) -> int:
        """How many sequences there are."""
        return 0 if self.table is None else self.table.rows

    @property
    def inputs(self) -> tuple[dict[str, object], ...]:
        """The files' fingerprints."""
        return () if self.table is None else self.table.fingerprints


def open_histories(
    options: JoinOptions, user_kind: dict[str, pa.DataType], item_kind: dict[str, pa.DataType]
) -> GivenHistories:
    """Opens the given sequences, if there are any, and checks every file's schema.

    Args:
      options: of the join.
      user_kind: the type of the log's `user_id` by file.
      item_kind: the type of the log's `item_id` by file.

    Raises:
      UserInputError: a file is unreadable, lacks a column or holds it in another type, or times
        are in another unit.
    """
    if not options.histories:
        return GivenHistories()
    table = open_table(options.histories, HISTORIES, options.tables)
    user = table.column("user_id", kinds.is_id, "int64 or string")
    item = table.column("item_id", _list_of(kinds.is_id), "a list of ids")
    if table.has("timestamp"):
        unit = f"{options.timestamp_unit}, see --timestamp_unit"
        expected = f"a list of {times.EXPECTED.format(unit=unit)}"
        table.column("timestamp", _list_of(kinds.is_time), expected)
        first_times(table, options.timestamp_unit)
    if table.has("type"):
        table.column("type", _list_of(kinds.is_integer), "a list of integers")
    if table.has(SPLIT):
        _check_split(table, options)
    same_kind({**user_kind, user.path: table.reader.kinds["user_id"]}, "user_id")
    same_kind({**item_kind, item.path: kinds.element(table.reader.kinds["item_id"])}, "item_id")
    return GivenHistories(table)


def read_histories(unit: Unit, columns: LogColumns, reader: Reader) -> Iterator[ValidatedBatch]:
    """Reads and validates a unit of given sequences; events are their behaviors."""
    options = columns.options
    names = [name for name in COLUMNS if name in reader.kinds]
    return validated(
        reader.read(unit, names),
        lambda batch: reasons_against(batch, options.timestamp_unit, options.history_types),
        lambda batch, rows: _behaviors(batch, columns, unit.file, rows),
    )


def _check_split(table: Table, options: JoinOptions) -> None:
    """Checks that sequences by split meet a log that names splits."""
    table.column(SPLIT, kinds.is_text, "string")
    if options.split_column is None:
        raise UserInputError(
            f"--histories: {table.location!r} has a column {SPLIT!r}, so each sequence is "
            "of one split, but the log's splits are not named by a column. Give --split_column, "
            "or leave it out."
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
        "item": categorical(pc.list_flatten(batch["item_id"])),
        "time": UNTIMED + position,
        "type": np.zeros(len(row), np.int8),
        "behavior": np.ones(len(row), bool),
    }
    kept = np.ones(len(row), bool)
    if "timestamp" in batch.schema.names:
        flat = pc.list_flatten(batch["timestamp"])
        values["time"], _ = times.microseconds(flat, columns.options.timestamp_unit)
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
        return kinds.is_list(kind) and accepts(kinds.element(kind))

    return is_list
