"""Statistics of a behavior log, computed by DuckDB over Parquet."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.errors import UserInputError
from features.tables import times
from features.tables.expressions import Expression
from pipeline.statistics import columns, time_buckets
from pipeline.statistics.database import identifier, one_row, parquet_dataset
from pipeline.tables import parquet

ITEM_COUNTS = "log_item_counts"
"""The table of the log's items that `log_statistics` creates: `value` and `n`."""

TIMES = "log_times"
"""The view that `log_statistics` creates: `item_id` and `time` (microseconds) of valid rows."""

_DUPLICATE_ROWS = 4_000_000
_COUNTS = "log_counts"


@dataclasses.dataclass(frozen=True)
class LogSource:
    """A behavior log and what its columns mean.

    Attributes:
      events: a folder of Parquet files, or one.
      labels: columns that are 0 or 1.
      derived: labels that are computed, by name.
      timestamp_unit: `s`, `ms` or `us`.
    """

    events: str
    labels: tuple[str, ...]
    derived: Mapping[str, Expression] = dataclasses.field(default_factory=dict)
    timestamp_unit: str = "s"


def log_statistics(connection: duckdb.DuckDBPyConnection, source: LogSource) -> dict[str, Any]:
    """Returns the statistics of a log.

    Args:
      connection: an open database; `ITEM_COUNTS` and `TIMES` stay in it.
      source: the log.

    Returns:
      JSON values: `rows`; `columns`, by name the type, the kind (`id`, `number`, `text` or
      `other`) and the figures of `pipeline.statistics.columns`; `labels`, by name `known`,
      `positives`, `rate`, `nulls` and `bad` (neither 0 nor 1); `time` with `unit`, `first` and
      `last` (microseconds), `out_of_range` rows, `width` and `buckets`; `duplicates` with the
      `share` of rows that repeat another of the same user in every column, and the
      `sampled_share` of users that it was counted over.

    Raises:
      UserInputError: the log is not readable, is empty, or lacks a column.
    """
    dataset = parquet_dataset(source.events, "events")
    _check_schema(dataset.schema, source)
    connection.register("log", dataset)
    rows = int(one_row(connection, "SELECT count(*) FROM log")[0])
    if not rows:
        raise UserInputError(f"--events: the files of {source.events!r} hold no row.")
    factor = 1_000_000 // times.PER_SECOND[source.timestamp_unit]
    valid = f'"timestamp" >= 0 AND "timestamp" < {time_buckets.LATEST // factor}'
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {TIMES} AS SELECT item_id, "
        f'CAST("timestamp" AS BIGINT) * {factor} AS time FROM log WHERE {valid}'
    )
    described = {
        field.name: _column(connection, field, rows, field.name in source.labels)
        for field in dataset.schema
    }
    labels, time = _labels_by_time(connection, dataset, source)
    return {
        "rows": rows,
        "columns": described,
        "labels": labels,
        "time": {"unit": source.timestamp_unit, **time},
        "duplicates": _duplicates(connection, rows, dataset.schema.names),
    }


def _check_schema(schema: pa.Schema, source: LogSource) -> None:
    ids = "int64 or string"
    for name in ("user_id", "item_id"):
        parquet.check_column(source.events, schema, name, parquet.is_id, ids)
    unit = f"int64 (in {source.timestamp_unit}, see --timestamp_unit)"
    parquet.check_column(source.events, schema, "timestamp", parquet.is_integer, unit)
    for label in source.labels:
        if label not in source.derived:
            expected = "a number, 0 or 1 (--labels)"
            parquet.check_column(source.events, schema, label, parquet.is_number, expected)
    for expression in source.derived.values():
        for name in expression.columns:
            expected = f"a column that {expression.text!r} can read (--derive_label)"
            parquet.check_column(source.events, schema, name, lambda kind: True, expected)
        empty = {field.name: pa.nulls(0, field.type) for field in schema}
        expression.evaluate(empty)


def _column(
    connection: duckdb.DuckDBPyConnection, field: pa.Field, rows: int, label: bool
) -> dict[str, Any]:
    is_id = parquet.is_id(field.type) and field.name.endswith("_id")
    is_number, is_text = parquet.is_number(field.type), parquet.is_text(field.type)
    kind = "id" if is_id else "number" if is_number else "text" if is_text else "other"
    found: dict[str, Any] = {"type": str(field.type), "kind": "label" if label else kind}
    if kind == "other":
        known = one_row(connection, f"SELECT count({identifier(field.name)}) FROM log")[0]
        return {**found, "rows": rows, "nulls": rows - int(known)}
    table = ITEM_COUNTS if field.name == "item_id" else _COUNTS
    columns.count_values(connection, "log", field.name, table)
    found |= columns.value_statistics(connection, table)
    if kind == "number":
        found |= columns.number_statistics(connection, table)
    elif kind == "id":
        found |= columns.id_statistics(connection, table)
    return found


def _labels_by_time(
    connection: duckdb.DuckDBPyConnection, dataset: pads.Dataset, source: LogSource
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the labels' figures, and the log's time with counts by bucket; one pass."""
    first, last, valid = one_row(connection, f"SELECT min(time), max(time), count(*) FROM {TIMES}")
    size = time_buckets.width(first, last) if valid else time_buckets.SECOND
    factor = 1_000_000 // times.PER_SECOND[source.timestamp_unit]
    wanted = ["count(*)"]
    for index in range(len(source.labels)):
        wanted += [f"count(*) FILTER (label_{index} = {value})" for value in (0, 1)]
        wanted += [f"count(*) FILTER (label_{index} IS NULL)"]
    reader = _label_reader(dataset, source)
    connection.register("log_labels", reader)
    # Microseconds of times out of range would overflow; those times are a group of their own.
    grouped = connection.execute(
        f"SELECT CASE WHEN time >= 0 AND time < {time_buckets.LATEST // factor} "
        f"THEN time * {factor} // {size} END AS bucket, {', '.join(wanted)} "
        "FROM log_labels GROUP BY 1"
    ).fetchall()
    connection.unregister("log_labels")
    labels = {}
    for index, label in enumerate(source.labels):
        no, yes, null = (sum(group[2 + 3 * index + at] for group in grouped) for at in range(3))
        labels[label] = {
            "known": no + yes,
            "positives": yes,
            "rate": yes / (no + yes) if no + yes else None,
            "nulls": null,
            "bad": sum(group[1] for group in grouped) - no - yes - null,
        }
    by_bucket = {
        bucket: {
            "events": events,
            "labels": {
                label: {"known": no + yes, "positives": yes}
                for label, no, yes in zip(source.labels, counts[::3], counts[1::3], strict=True)
            },
        }
        for bucket, events, *counts in grouped
        if bucket is not None
    }
    out = sum(group[1] for group in grouped if group[0] is None)
    line = time_buckets.timeline(size, by_bucket, source.labels)
    return labels, {"first": first, "last": last, "out_of_range": out, **line}


def _label_reader(dataset: pads.Dataset, source: LogSource) -> pa.RecordBatchReader:
    """Streams `time` and `label_<index>`, float64 and null where it is unknown."""
    stored = [label for label in source.labels if label not in source.derived]
    read = {name for one in source.derived.values() for name in one.columns}
    names = sorted({"timestamp", *stored, *(name for name in read if name not in source.derived)})
    schema = pa.schema(
        [("time", pa.int64())]
        + [(f"label_{index}", pa.float64()) for index in range(len(source.labels))]
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in dataset.to_batches(columns=names):
            values = {name: batch[name] for name in names}
            for name, expression in source.derived.items():
                values[name] = _derived(expression, values)
            columns_ = [values[label].cast(pa.float64(), safe=False) for label in source.labels]
            time = batch["timestamp"].cast(pa.int64())
            yield pa.record_batch([time, *columns_], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _derived(expression: Expression, values: Mapping[str, pa.Array]) -> pa.Array:
    """Evaluates an expression where none of its columns is null or NaN; null elsewhere."""
    inputs = [values[name] for name in expression.columns]
    known = np.ones(len(inputs[0]), bool)
    for column in inputs:
        good = column.is_valid()
        if pa.types.is_floating(column.type):
            good = pc.and_(good, pc.fill_null(pc.is_finite(column), False))
        known &= good.to_numpy(zero_copy_only=False)
    result = np.zeros(len(known))
    kept = {name: values[name].filter(pa.array(known)) for name in expression.columns}
    result[known] = expression.evaluate(kept)
    return pa.array(result, mask=~known)


def _duplicates(
    connection: duckdb.DuckDBPyConnection, rows: int, names: Sequence[str]
) -> dict[str, float]:
    """Counts rows that repeat another; over a sample of users where the log is large."""
    parts = -(-rows // _DUPLICATE_ROWS)
    columns_ = ", ".join(map(identifier, sorted(names)))
    sampled, repeated = one_row(
        connection,
        "SELECT coalesce(sum(n), 0), coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM log "
        f"WHERE hash(user_id) % {parts} = 0 GROUP BY hash({columns_}))",
    )
    share = float(repeated) / float(sampled) if sampled else 0.0
    return {"share": share, "sampled_share": 1 / parts}
