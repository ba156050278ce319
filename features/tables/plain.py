"""Rows as plain values, whatever they hold, for people to read."""

from typing import Any

import pyarrow as pa


def rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Returns a batch's rows as JSON values: times as ISO texts, bytes as escaped ones.

    Nothing is too odd to be shown: bytes that are no UTF-8 are escaped, and a time that Python
    cannot hold is its microseconds.
    """
    columns = {name: _values(batch.column(place)) for place, name in enumerate(batch.schema.names)}
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def _values(column: pa.Array) -> list[Any]:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        values = column.cast(pa.binary()).to_pylist()
        return [value and value.decode("utf-8", "backslashreplace") for value in values]
    if pa.types.is_timestamp(kind):
        return [_time(value) for value in column]
    return list(column.to_pylist())


def _time(value: pa.TimestampScalar) -> str | int | None:
    try:
        moment = value.as_py()
    except (OverflowError, ValueError):
        return int(value.value)
    return None if moment is None else str(moment.isoformat(" "))
