"""Statistics of a behavior log, computed by DuckDB over streams of its columns."""

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from features.errors import UserInputError
from features.schema import TIMESTAMP, USER_ID
from features.tables import kinds, times
from features.tables.schema import Column
from pipeline.statistics import columns, streams, time_buckets
from pipeline.statistics.database import identifier, one_row
from pipeline.statistics.log_source import FLAG, ITEM_ID, OpenLog

ITEM_COUNTS = "log_item_counts"
"""The table of the log's items that `log_statistics` creates: `value` and `n`."""

_DUPLICATE_ROWS = 4_000_000
_COUNTS = "log_counts"
_TIME_COUNTS = "log_time_counts"
_STREAM = "log_stream"
_NAMELESS = "The name has no letter of a-z, or becomes that of another column: give it one with"


def log_statistics(connection: duckdb.DuckDBPyConnection, log: OpenLog) -> dict[str, Any]:
    """Returns the statistics of a log.

    Args:
      connection: an open database; `ITEM_COUNTS` stays in it.
      log: whose columns were checked.

    Returns:
      JSON values: `files` (see `streams.files`); `rows`; `columns`, by name the type, the kind
      (`id`, `number`, `text`, `time`, `label` or `other`), the `column` in the file where it is
      called otherwise, and the figures of `pipeline.statistics.columns`; `not_read`, by name the
      type of every other column and the reason, empty where nothing reads the type; `labels`, by
      name `known`, `positives`, `rate`, `nulls` and `bad` (neither 0 nor 1); `time` with `unit`,
      `first` and `last` (microseconds), `out_of_range` rows (null ones too), `width` and
      `buckets`; `duplicates` with the `share` of rows that repeat another of the same user in
      every column that is read, and the `sampled_share` of users that it was counted over.

    Raises:
      UserInputError: the log is not readable, or none of its rows passes the filter.
    """
    described: dict[str, dict[str, Any]] = {}
    not_read = {}
    for name, column in log.table.schema.columns.items():
        reason = column.problem and f"{column.problem}."
        if name in log.table.reader.kinds:
            try:
                described[name] = _column(connection, column, log)
                continue
            except UserInputError as error:
                # A value that does not fit is a fault of its column, which nothing may need.
                if name in log.required or not isinstance(error.__cause__, pa.ArrowException):
                    raise
                reason = str(error)
        not_read[name] = {"type": str(column.received), "reason": reason}
    for own, received in log.table.schema.nameless.items():
        not_read[own] = {"type": str(received), "reason": f"{_NAMELESS} --column NAME={own}."}
    rows = described[USER_ID]["rows"]
    if not rows:
        raise UserInputError(
            f"--{FLAG}: none of the {log.table.rows} rows of {log.table.location!r} passes "
            f"--filter {log.source.tables.filter!r}."
        )
    labels, time = _labels_by_time(connection, log)
    return {
        "files": streams.files(log.table),
        "rows": rows,
        "columns": described,
        "not_read": not_read,
        "labels": labels,
        "time": {"unit": log.unit, **time},
        "duplicates": _duplicates(connection, rows, log, sorted(described)),
    }


def _column(connection: duckdb.DuckDBPyConnection, column: Column, log: OpenLog) -> dict[str, Any]:
    name, read_as = column.name, log.table.reader.kinds[column.name]
    kind = _kind(name, read_as)
    shown = "label" if name in log.source.labels else kind
    found: dict[str, Any] = {"type": streams.type_name(column.received, read_as), "kind": shown}
    if column.own != name:
        found["column"] = column.own
    if kind == "other":
        counts = [(len(one), one[name].null_count) for one in streams.batches(log.table, [name])]
        return {**found, "rows": sum(n for n, _ in counts), "nulls": sum(n for _, n in counts)}
    table = {ITEM_ID: ITEM_COUNTS, TIMESTAMP: _TIME_COUNTS}.get(name, _COUNTS)
    with streams.registered(connection, _STREAM, *streams.columns(log.table, [name])):
        columns.count_values(connection, _STREAM, name, table)
    found |= columns.value_statistics(connection, table)
    if kind == "id":
        return found | columns.id_statistics(connection, table)
    if kind == "time" and read_as == pa.string():
        with streams.registered(connection, _STREAM, *log.timed_items()):
            columns.count_values(connection, _STREAM, "time", table)
    if kind in ("number", "time"):
        found |= columns.number_statistics(connection, table)
    return found


def _kind(name: str, kind: pa.DataType) -> str:
    if kinds.is_id(kind) and name.endswith("_id"):
        return "id"
    if kinds.is_number(kind):
        return "number"
    if name == TIMESTAMP:
        return "time"
    return "text" if kinds.is_text(kind) else "other"


def _labels_by_time(
    connection: duckdb.DuckDBPyConnection, log: OpenLog
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the labels' figures, and the log's time with counts by bucket; one pass."""
    names = log.source.labels
    first, last = _first_and_last(connection, log)
    size = time_buckets.SECOND
    if first is not None and last is not None:
        size = time_buckets.width(first, last)
    wanted = ["count(*)"]
    for index in range(len(names)):
        wanted += [f"count(*) FILTER (label_{index} = {value})" for value in (0, 1)]
        wanted += [f"count(*) FILTER (label_{index} IS NULL)"]
    with streams.registered(connection, _STREAM, *log.timed_labels()):
        grouped = connection.execute(
            f"SELECT time // {size} AS bucket, {', '.join(wanted)} FROM {_STREAM} GROUP BY 1"
        ).fetchall()
    labels = {}
    for index, label in enumerate(names):
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
                for label, no, yes in zip(names, counts[::3], counts[1::3], strict=True)
            },
        }
        for bucket, events, *counts in grouped
        if bucket is not None
    }
    out = sum(group[1] for group in grouped if group[0] is None)
    line = time_buckets.timeline(size, by_bucket, names)
    return labels, {"first": first, "last": last, "out_of_range": out, **line}


def _first_and_last(
    connection: duckdb.DuckDBPyConnection, log: OpenLog
) -> tuple[int | None, int | None]:
    """Returns the first and the last time of a log, microseconds, from the counted timestamps."""
    per_second = times.PER_SECOND[log.unit]
    valid = f"value >= 0 AND value < {times.LATEST * per_second}"
    found = one_row(connection, f"SELECT min(value), max(value) FROM {_TIME_COUNTS} WHERE {valid}")
    first, last = (None if one is None else one * 1_000_000 // per_second for one in found)
    return first, last


def _duplicates(
    connection: duckdb.DuckDBPyConnection, rows: int, log: OpenLog, names: Sequence[str]
) -> dict[str, float]:
    """Counts rows that repeat another; over a sample of users where the log is large."""
    parts = -(-rows // _DUPLICATE_ROWS)
    hashed = ", ".join(map(identifier, names))
    with streams.registered(connection, _STREAM, *streams.columns(log.table, names)):
        sampled, repeated = one_row(
            connection,
            "SELECT coalesce(sum(n), 0), coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n "
            f"FROM {_STREAM} WHERE hash({USER_ID}) % {parts} = 0 GROUP BY hash({hashed}))",
        )
    share = float(repeated) / float(sampled) if sampled else 0.0
    return {"share": share, "sampled_share": 1 / parts}
