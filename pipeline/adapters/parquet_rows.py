"""Reads rows of Parquet files in batches of a bounded size, and finds bad rows."""

import functools
from collections.abc import Iterator, Mapping

import duckdb
import numpy as np
import pyarrow as pa

from features.errors import UserInputError
from features.files import storage
from features.tables import kinds


def read_batches(
    path: str, columns: Mapping[str, pa.DataType], batch_rows: int
) -> Iterator[tuple[tuple[str, int], pa.RecordBatch]]:
    """Yields path and position of the first row of each batch, and the batch.

    Args:
      path: of the file.
      columns: type by name: int64, int8, float32, bool, string, a timestamp, or a list of one.
        Other types of the same values are cast, see `features.tables.kinds`; a column that is null
        throughout may have none.
      batch_rows: the most rows of a batch.

    Raises:
      UserInputError: the file cannot be read, lacks a column, or holds another type.
    """
    row = 0
    try:
        with storage.open_parquet(path, streamed=True) as file:
            for name, kind in columns.items():
                _check_column(path, file.schema_arrow, name, kind)
            for batch in file.iter_batches(batch_rows, columns=list(columns)):
                arrays = [_cast(batch[name], kind) for name, kind in columns.items()]
                yield (path, row), pa.record_batch(arrays, list(columns))
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} cannot be read: {error}. Expected Parquet; get the file again."
        ) from error


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    # Nanoseconds are cut to microseconds; every other cast keeps the value, or rounds a float.
    return kinds.converted(column, kinds.canonical(kind) or kind).cast(kind)


def first_reasons(batch: pa.RecordBatch, checks: Mapping[str, str]) -> np.ndarray:
    """Returns `[N]` str: the first reason whose condition holds, empty for good rows.

    Args:
      batch: N rows.
      checks: condition of a bad row as DuckDB's SQL, by reason; null counts as true.
    """
    cases = " ".join(f"WHEN coalesce({bad}, true) THEN ?" for bad in checks.values())
    with _database().cursor() as connection:
        connection.register("batch", batch)
        query = f"SELECT CASE {cases} ELSE '' END AS reason FROM batch"
        return connection.execute(query, list(checks)).fetchnumpy()["reason"]


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    """Returns an empty database: to open one takes longer than to check a small batch."""
    return duckdb.connect()


def _check_column(path: str, schema: pa.Schema, name: str, expected: pa.DataType) -> None:
    places = schema.get_all_field_indices(name)
    if len(places) != 1:
        columns = ", ".join(f"{field.name}: {field.type}" for field in schema)
        raise UserInputError(
            f"{path!r} has {len(places) or 'no'} column{'s' * (len(places) > 1)} {name!r}, "
            f"expected {expected}. It has {columns}. Get the file again as published."
        )
    received = schema.field(places[0]).type
    if not _fits(received, expected):
        raise UserInputError(
            f"{path!r}: column {name!r} is {received}, expected {expected}. Cast the column and "
            "write the file again."
        )


def _fits(kind: pa.DataType, expected: pa.DataType) -> bool:
    """Whether a type holds what the expected type does."""
    if kinds.is_null(kind):
        return True
    if pa.types.is_list(expected):
        return kinds.is_list(kind) and _fits(kind.value_type, expected.value_type)
    if pa.types.is_floating(expected):
        return kinds.is_number(kind) and pa.types.is_floating(kinds.canonical(kind))
    if pa.types.is_string(expected):
        return kinds.is_text(kind)
    if expected == pa.int64():
        return kinds.is_integer(kind)
    if pa.types.is_timestamp(expected):
        return bool(pa.types.is_timestamp(kind))
    return bool(kind == expected)
