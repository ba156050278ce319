"""Reading the log as Arrow batches, and separating good rows from bad ones, vectorized."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.ids import hashing
from features.schema import REQUEST_ID, SideFeature, context_feature
from features.tables import kinds, times
from features.tables.expressions import Expression
from features.tables.reader import Unit
from pipeline.join.inputs.log_columns import LogColumns, Role
from pipeline.join.rules import splits

_TIME = "timestamp, microseconds"
"""The times of a batch, int64, null where there is none; no column of a table has such a name."""


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
    event was read; `content`: hash over the columns of the row that are read; `role`: see `Role`;
    `behavior`: whether it becomes one; `type`: of behavior; `split`: where the log names it, else
    -1; `label_<name>` float32; `weight` float32 and `position` float32, where the log has them;
    `context_<name>` int64 or float32; `statistic_<name>` float64; `known_<label>`: int64
    microseconds at which an attributed label became known. Of rows of an earlier part, where parts
    carry sums: `residual`, the code of the behavior, and `item_count`, the events that its item had
    before it.
    """
    fields = [(name, pa.int64()) for name in ("user", "item", "time", "request", "row", "content")]
    fields += [("file", pa.int32()), ("behavior", pa.bool_())]
    fields += [(name, pa.int8()) for name in ("role", "type", "split")]
    options = columns.options
    fields += [(f"label_{name}", pa.float32()) for name in options.resolved_labels]
    fields += [("weight", pa.float32())] if options.weight_column is not None else []
    fields += [("position", pa.float32())] if options.position_column is not None else []
    fields += [
        (context_feature(one.name), pa.int64() if one.kind == "categorical" else pa.float32())
        for one in columns.context
    ]
    fields += [(f"statistic_{name}", pa.float64()) for name in options.column_statistics]
    fields += [(f"known_{name}", pa.int64()) for name in options.late_statistics]
    if options.carries_sums:
        fields += [("residual", pa.uint8()), ("item_count", pa.float64())]
    return pa.schema(fields)


def numpy_of(column: pa.Array) -> np.ndarray:
    """Returns a column's values, `[N]`."""
    return column.to_numpy(zero_copy_only=False)


def read_batches(unit: Unit, columns: LogColumns) -> Iterator[ValidatedBatch]:
    """Reads and validates a unit of a log.

    Raises:
      pa.ArrowException, OSError: the unit is not readable.
    """
    return validated(
        _prepared(columns.reader.read(unit, columns.read), columns),
        lambda batch: _reasons(batch, columns),
        lambda batch, rows: _events(batch, columns, unit.file, rows),
    )


def _prepared(
    batches: Iterable[tuple[pa.RecordBatch, np.ndarray]], columns: LogColumns
) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    """Yields batches with their times as `_TIME`, and with labels where the options fill nulls.

    Texts of times are slow to parse, so this is done once for reasons and events.
    """
    value = columns.options.null_label
    for batch, rows in batches:
        for label in columns.stored_labels if value is not None else ():
            place = batch.schema.get_field_index(label)
            known = pc.fill_null(batch[label], pa.scalar(value).cast(batch[label].type))
            batch = batch.set_column(place, label, known)
        if columns.has_timestamp:
            unit = columns.options.timestamp_unit
            time, is_time = times.microseconds(batch["timestamp"], unit)
            batch = batch.append_column(_TIME, pa.array(time, mask=~is_time))
        yield batch, rows


def validated(
    batches: Iterable[tuple[pa.RecordBatch, np.ndarray]],
    reasons_of: Callable[[pa.RecordBatch], np.ndarray],
    events_of: Callable[[pa.RecordBatch, np.ndarray], pa.RecordBatch],
) -> Iterator[ValidatedBatch]:
    """Splits batches into events and rejected rows.

    Args:
      batches: of a unit, with the positions of their rows in the file.
      reasons_of: the first reason against each row of a batch, empty for good rows; `[N]` str.
      events_of: the events of good rows and their positions in the file.
    """
    for batch, rows in batches:
        reasons = reasons_of(batch)
        good = reasons == ""
        kept = batch if good.all() else batch.filter(pa.array(good))
        yield ValidatedBatch(
            events=events_of(kept, rows[good]),
            rejected=batch.select(_read_of(batch)).filter(pa.array(~good)),
            rows=rows[~good],
            reasons=reasons[~good],
        )


def _read_of(batch: pa.RecordBatch) -> list[str]:
    """Returns the columns of a batch that were read."""
    return [name for name in batch.schema.names if name != _TIME]


def _reasons(batch: pa.RecordBatch, columns: LogColumns) -> np.ndarray:
    """Returns the first reason against each row; `[N]` str."""
    reasons = np.full(batch.num_rows, "", object)

    def object_to(mask: np.ndarray, reason: str) -> None:
        reasons[mask & (reasons == "")] = reason

    required = ["user_id", "item_id", *columns.stored_labels]
    required += ["timestamp"] if columns.has_timestamp else []
    required += [REQUEST_ID] if columns.has_request_id else []
    required += [columns.split_column] if columns.split_column is not None else []
    read = (*columns.expression_columns, *columns.stored_statistics, *columns.numbers)
    required += [name for name in read if name not in required]
    for name in required:
        if batch[name].null_count:
            object_to(numpy_of(batch[name].is_null()), f"{name} is null")
    for name in ("user_id", "item_id"):
        if kinds.is_text(batch[name].type):
            empty = pc.equal(pc.binary_length(batch[name]), 0)
            object_to(numpy_of(empty.fill_null(False)), f"{name} is empty")
    if columns.has_timestamp:
        reason = times.reason("timestamp", batch["timestamp"].type)
        object_to(numpy_of(batch[_TIME].is_null()), reason)
    if columns.split_column is not None:
        known = pc.is_in(batch[columns.split_column], pa.array(splits.FRACTION_SPLITS))
        reason = f"{columns.split_column} is not {', '.join(splits.FRACTION_SPLITS)}"
        object_to(~numpy_of(known.fill_null(True)), reason)
    numeric = [one.name for one in columns.stored_context if one.kind == "numeric"]
    for name in dict.fromkeys([*columns.stored_labels, *read, *numeric]):
        if pa.types.is_floating(batch[name].type):
            values = numpy_of(batch[name].fill_null(0))
            object_to(~np.isfinite(values), f"{name} is NaN or infinite")
    for label in columns.stored_labels:
        values = numpy_of(batch[label].fill_null(False if _is_boolean(batch[label]) else 0))
        object_to((values != 0) & (values != 1), f"{label} is not 0 or 1")
    for name in columns.numbers:
        values = _float32(batch[name].fill_null(False if _is_boolean(batch[name]) else 0))
        object_to(values < 0, f"{name} is negative")
        object_to(~np.isfinite(values), f"{name} is NaN or infinite")
    return reasons


def _events(
    batch: pa.RecordBatch, columns: LogColumns, file: int, rows: np.ndarray
) -> pa.RecordBatch:
    """Returns the events of good rows."""
    count = batch.num_rows
    values = {name: batch[name] for name in batch.schema.names}
    for name, expression in columns.derived.items():
        values[name] = pa.array(expression.evaluate(values).astype(np.float32))
    role = _roles(columns, values, count)
    for label, code in _label_codes(columns).items():
        values[label] = pa.array((role == code).astype(np.float32))
    user = hashing.ids_of_column(batch["user_id"])
    time = np.zeros(count, np.int64)
    if columns.has_timestamp:
        time = numpy_of(batch[_TIME])
    origin = np.full(count, file, np.int32)
    events = {
        "user": user,
        "item": hashing.ids_of_column(batch["item_id"]),
        "time": time,
        "row": rows,
        "content": hashing.combine(_content(batch), role.astype(np.int64)),
        "file": origin,
        "behavior": _behaviors(columns.options.behavior, values, count),
        "role": role,
        "type": np.zeros(count, np.int8),
        "split": np.full(count, -1, np.int8),
    }
    if columns.has_request_id:
        events["request"] = hashing.ids_of_column(batch[REQUEST_ID])
    elif columns.has_timestamp:
        events["request"] = hashing.combine(user, time)
    else:
        # Two equal rows differ in their place alone: both are kept.
        events["request"] = hashing.combine(user, hashing.combine(origin, rows))
        events["content"] = events["request"]
    for number, expression in enumerate(columns.options.behavior_type_rules):
        events["type"][expression.evaluate(values)] = number + 1
    if columns.split_column is not None:
        index = pc.index_in(batch[columns.split_column], pa.array(splits.FRACTION_SPLITS))
        events["split"] = numpy_of(index).astype(np.int8)
    for label in columns.options.resolved_labels:
        events[f"label_{label}"] = numpy_of(values[label]).astype(np.float32)
    for name, column in (("weight", columns.weight), ("position", columns.position)):
        # The schema leaves out what the log does not have.
        known = column is not None
        events[name] = _float32(batch[column]) if known else np.zeros(count, np.float32)
    for feature in columns.context:
        events[context_feature(feature.name)] = _context(columns, feature, batch)
    for name in columns.options.column_statistics:
        stored = name in columns.stored_statistics
        events[f"statistic_{name}"] = _float64(batch[name]) if stored else np.zeros(count)
    events |= {f"known_{name}": time for name in columns.options.late_statistics}
    events["residual"], events["item_count"] = np.zeros(count, np.uint8), np.zeros(count)
    schema = event_schema(columns)
    return pa.record_batch([pa.array(events[name]) for name in schema.names], schema=schema)


def _label_codes(columns: LogColumns) -> dict[str, int]:
    """Returns by computed label the role of rows that set it; -1 if no row of this log can."""
    codes = {label: Role.LABEL_EVENT + k for k, label in enumerate(columns.options.attributed)}
    if columns.sets_label is None:
        return codes
    return {label: codes.get(label, -1) for label in columns.options.resolved_labels}


def _roles(columns: LogColumns, values: dict[str, pa.Array], count: int) -> np.ndarray:
    """Returns each row's role, `[N]` int8; of several labels that a row sets the first counts."""
    codes = {label: Role.LABEL_EVENT + k for k, label in enumerate(columns.options.attributed)}
    if columns.sets_label is not None:
        return np.full(count, codes[columns.sets_label], np.int8)
    role = np.full(count, Role.CANDIDATE, np.int8)
    for label, expression in reversed(columns.label_events.items()):
        role[expression.evaluate(values)] = codes[label]
    return role


def _behaviors(rule: Expression | bool, values: dict[str, pa.Array], count: int) -> np.ndarray:
    return np.full(count, rule) if isinstance(rule, bool) else rule.evaluate(values)


def _context(columns: LogColumns, feature: SideFeature, batch: pa.RecordBatch) -> np.ndarray:
    """Returns a context feature's values, `[N]`; zero where the log does not have them."""
    dtype = np.int64 if feature.kind == "categorical" else np.float32
    if feature not in columns.stored_context:
        return np.zeros(batch.num_rows, dtype)
    column = batch[feature.name]
    if feature.kind == "categorical":
        return categorical(column)
    return numpy_of(column.fill_null(False if _is_boolean(column) else 0)).astype(dtype)


def categorical(column: pa.Array) -> np.ndarray:
    """Returns `[N]` int64: integers as they are, strings by fingerprint, null as 0."""
    known = numpy_of(column.is_valid())
    ids = np.zeros(len(column), np.int64)
    ids[known] = hashing.ids_of_column(column.drop_null())
    return ids


def _content(batch: pa.RecordBatch) -> np.ndarray:
    """Returns a hash of each row over all columns; equal rows have equal hashes."""
    digest = np.zeros(batch.num_rows, np.int64)
    for name in sorted(_read_of(batch)):
        column = batch[name]
        if kinds.is_id(column.type):
            values = categorical(column)
        elif pa.types.is_floating(column.type):
            values = numpy_of(column.fill_null(0)).astype(np.float64).view(np.int64)
        elif _is_boolean(column):
            values = numpy_of(column.fill_null(False)).astype(np.int64)
        else:
            values = numpy_of(column.cast(pa.int64()).fill_null(0))
        digest = hashing.combine(digest, values)
        if column.null_count:
            digest = hashing.combine(digest, numpy_of(column.is_null()).astype(np.int64))
        else:
            digest = hashing.combine(digest, np.zeros(len(digest), np.int64))
    return digest


def _float64(column: pa.Array) -> np.ndarray:
    return numpy_of(column).astype(np.float64)


def _float32(column: pa.Array) -> np.ndarray:
    """Returns `[N]` float32; a number that is too large for it becomes infinite."""
    with np.errstate(over="ignore"):
        return numpy_of(column).astype(np.float32)


def _is_boolean(column: pa.Array) -> bool:
    return pa.types.is_boolean(column.type)
