"""Behaviors that are no candidates of the log: given sequences, and those of earlier parts.

Given sequences (`--histories`): Parquet with `user_id`, a list `item_id` oldest first, and
optionally lists `timestamp` (in the log's unit) and `type`. Without timestamps a sequence counts
for every request of its user, with time gaps of 0. With a column `split` a sequence counts for
the user's requests of that split alone.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import UserInputError
from features.files import storage
from features.ids import hashing
from pipeline.join.inputs.event_batches import BATCH_ROWS, ValidatedBatch, categorical, event_schema
from pipeline.join.inputs.event_log import ReadUnit, row_groups
from pipeline.join.inputs.log_columns import LogColumns, Role
from pipeline.join.inputs.sequence_checks import SPLIT, list_lengths, reasons_against
from pipeline.join.options import JoinOptions
from pipeline.join.rules import splits
from pipeline.tables import parquet

HISTORIES = "histories"
STATE = "state"

UNTIMED = -(1 << 60)
"""Microseconds of the first behavior of a sequence without timestamps; the others follow."""

_STATE_COLUMNS = ("user", "item", "time", "type", "behavior")


@dataclasses.dataclass(frozen=True)
class GivenHistories:
    """Given behavior sequences that passed the pre-flight.

    Attributes:
      units: what there is to read.
      rows: how many sequences there are.
      inputs: the files' fingerprints.
    """

    units: tuple[ReadUnit, ...] = ()
    rows: int = 0
    inputs: tuple[dict[str, object], ...] = ()


@dataclasses.dataclass(frozen=True)
class SequenceRules:
    """What a given sequence is held to.

    Attributes:
      columns: of the log; they give the events' schema.
      types: how many values `type` takes.
      length: the most behaviors of a request (L); of a sequence without timestamps no more
        are read.
    """

    columns: LogColumns
    types: int
    length: int


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
        if SPLIT in schema.names:
            _check_split(path, schema, options)
        parquet.same_kind({**user_kind, path: schema.field("user_id").type}, "user_id")
        parquet.same_kind({**item_kind, path: schema.field("item_id").type.value_type}, "item_id")
    return GivenHistories(
        units=row_groups(HISTORIES, files),
        rows=sum(file.metadata.num_rows for file in files.values()),
        inputs=tuple(parquet.footer_fingerprint(path) for path in files),
    )


def read_histories(unit: ReadUnit, rules: SequenceRules) -> Iterator[ValidatedBatch]:
    """Reads and validates a row group of given sequences; events are their behaviors."""
    first_row = unit.first_row
    with storage.open_parquet(unit.path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=[unit.row_group]):
            place = batch.schema.get_field_index("user_id")
            batch = batch.set_column(place, "user_id", parquet.decoded(batch["user_id"]))
            reasons = reasons_against(batch, rules.columns.timestamp_unit, rules.types)
            good = reasons == ""
            rows = first_row + np.arange(batch.num_rows)
            yield ValidatedBatch(
                events=_behaviors(batch.filter(pa.array(good)), rules, unit.file, rows[good]),
                rejected=batch.filter(pa.array(~good)),
                rows=rows[~good],
                reasons=reasons[~good],
            )
            first_row += batch.num_rows


def read_state(unit: ReadUnit, columns: LogColumns) -> Iterator[ValidatedBatch]:
    """Reads a row group of what an earlier part left."""
    first_row = unit.first_row
    with storage.open_parquet(unit.path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=[unit.row_group]):
            rows = first_row + np.arange(batch.num_rows)
            values = {name: _numpy(batch[name]) for name in _STATE_COLUMNS}
            events = _prior_events(columns, values, unit.file, rows, rows)
            nothing = np.zeros(0, np.int64)
            yield ValidatedBatch(events, batch.slice(0, 0), nothing, nothing.astype(str))
            first_row += batch.num_rows


def state_rows(
    events: dict[str, np.ndarray], length: int, needed_from: int, with_interactions: bool
) -> np.ndarray:
    """Returns the positions of the events that a later part can need.

    Args:
      events: `[E]` columns of one partition, sorted by user, time and row.
      length: the most behaviors of a request (L).
      needed_from: microseconds; behaviors from here on may be hidden from the next part's first
        requests by the delay, so all are kept, and of older ones the latest L.
      with_interactions: keep each user's first event with every item too, which negatives avoid.
    """
    user, behavior = events["user"], np.flatnonzero(events["behavior"])
    older = behavior[events["time"][behavior] < needed_from]
    end = np.searchsorted(user[older], user[older], side="right")
    wanted = np.zeros(len(user), bool)
    wanted[older[np.arange(len(older)) >= end - length]] = True
    wanted[behavior[events["time"][behavior] >= needed_from]] = True
    if with_interactions:
        order = np.lexsort((np.arange(len(user)), events["item"], user))
        pairs = (user[order], events["item"][order])
        new = np.ones(len(order), bool)
        new[1:] = np.any([key[1:] != key[:-1] for key in pairs], axis=0)
        wanted[order[new]] = True
    return np.flatnonzero(wanted)


def state_file(events: dict[str, np.ndarray], rows: np.ndarray) -> bytes:
    """Returns the Parquet file that holds some events, for `read_state`."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: events[name][rows] for name in _STATE_COLUMNS}), sink)
    return sink.getvalue().to_pybytes()


def _check_split(path: str, schema: pa.Schema, options: JoinOptions) -> None:
    """Checks that sequences by split meet a log that names splits."""
    parquet.check_column(path, schema, SPLIT, parquet.is_text, "string")
    if options.split_column is None:
        raise UserInputError(
            f"--histories: {path!r} has a column {SPLIT!r}, so each sequence is of one split, but "
            "the log's splits are not named by a column. Give --split_column, or leave it out."
        )


def _behaviors(
    batch: pa.RecordBatch, rules: SequenceRules, file: int, rows: np.ndarray
) -> pa.RecordBatch:
    """Returns the behaviors of good sequences as events."""
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
        unit = splits.MICROSECONDS[rules.columns.timestamp_unit]
        values["time"] = _numpy(pc.list_flatten(batch["timestamp"])).astype(np.int64) * unit
    else:
        kept = position >= lengths[row] - rules.length
    if SPLIT in batch.schema.names:
        index = pc.index_in(parquet.decoded(batch[SPLIT]), pa.array(splits.FRACTION_SPLITS))
        values["split"] = _numpy(index).astype(np.int8)[row]
    if "type" in batch.schema.names:
        values["type"] = _numpy(pc.list_flatten(batch["type"])).astype(np.int8)
    values = {name: array[kept] for name, array in values.items()}
    return _prior_events(rules.columns, values, file, rows[row][kept], position[kept])


def _prior_events(
    columns: LogColumns,
    values: dict[str, np.ndarray],
    file: int,
    rows: np.ndarray,
    positions: np.ndarray,
) -> pa.RecordBatch:
    """Returns events that are behaviors or past interactions only.

    They sort before the log's own events of their instant, and no two are duplicates: what is
    given is kept.
    """
    schema = event_schema(columns)
    count = len(rows)
    origin = np.full(count, file, np.int64)
    arrays = {
        name: np.zeros(count, kind.to_pandas_dtype())
        for name, kind in zip(schema.names, schema.types, strict=True)
    }
    # Of no split, unless a given sequence says otherwise: then it counts for every request.
    arrays["split"] = np.full(count, -1, np.int8)
    arrays.update(values)
    arrays["file"] = np.full(count, -1 - file, np.int32)
    arrays["row"] = positions
    arrays["content"] = hashing.combine(hashing.combine(origin, rows), positions)
    arrays["role"] = np.full(count, Role.PRIOR, np.int8)
    return pa.record_batch([pa.array(arrays[name]) for name in schema.names], schema=schema)


def _list_of(accepts: Callable[[pa.DataType], bool]) -> Callable[[pa.DataType], bool]:
    def is_list(kind: pa.DataType) -> bool:
        return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and accepts(kind.value_type)

    return is_list


def _numpy(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False)
