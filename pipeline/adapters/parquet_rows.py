"""Reads rows of Parquet files in batches of a bounded size, and finds bad rows."""

import functools
from collections.abc import Callable, Iterator, Mapping

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import UserInputError
from pipeline.tables.parquet import check_column, is_integer, is_list, is_text

_READ_BUFFER = 1 << 20
"""Bytes of a column in memory; without it a whole column chunk is, gigabytes for long lists."""


def read_batches(
    path: str, columns: Mapping[str, pa.DataType], batch_rows: int
) -> Iterator[tuple[tuple[str, int], pa.RecordBatch]]:
    """Yields path and position of the first row of each batch, and the batch.

    Args:
      path: of the file.
      columns: type by name: int64, int8, float32, bool, string, a timestamp, or a list of one.
        Other integers, floats, strings and timestamps are cast, times with a zone to UTC.
      batch_rows: the most rows of a batch.

    Raises:
      UserInputError: the file cannot be read, lacks a column, or holds another type.
    """
    row = 0
    try:
        with pq.ParquetFile(path, buffer_size=_READ_BUFFER, pre_buffer=False) as file:
            for name, kind in columns.items():
                check_column(path, file.schema_arrow, name, _fits(kind), str(kind))
            for batch in file.iter_batches(batch_rows, columns=list(columns)):
                arrays = [_cast(batch[name], kind) for name, kind in columns.items()]
                yield (path, row), pa.record_batch(arrays, list(columns))
                row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} cannot be read: {error}. Expected Parquet; get the file again."
        ) from error


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    # Nanoseconds are cut to microseconds; every other cast keeps the value, or rounds a float.
    element = kind.value_type if pa.types.is_list(kind) else kind
    return column.cast(kind, safe=not pa.types.is_timestamp(element))


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


def _fits(expected: pa.DataType) -> Callable[[pa.DataType], bool]:
    """Returns a test of whether a type holds what the expected type does."""
    if pa.types.is_list(expected):
        element = _fits(expected.value_type)
        return lambda kind: is_list(kind) and element(kind.value_type)
    for is_kind in (pa.types.is_timestamp, pa.types.is_floating, pa.types.is_boolean, is_text):
        if is_kind(expected):
            return is_kind
    return is_integer if expected == pa.int64() else lambda kind: bool(kind == expected)
