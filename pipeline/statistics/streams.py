"""Tables as streams that DuckDB reads: the columns of one query, batch by batch.

with streams.registered(connection, "log", *streams.columns(table, ["user_id"])):
    connection.execute("SELECT count(user_id) FROM log")

A stream is read once, so each query has its own. Texts are streamed as bytes, since not all texts
are UTF-8, and times as microseconds.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from features.tables import kinds
from features.tables.kinds import TIMESTAMP
from features.tables.reader import unreadable
from features.tables.table import Table


@contextlib.contextmanager
def registered(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[None]:
    """Lets one query read batches under a name; what fails in them is raised as it is."""
    failures = []

    def guarded() -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except Exception as error:
            failures.append(error)
            raise

    connection.register(name, pa.RecordBatchReader.from_batches(schema, guarded()))
    try:
        yield
    except duckdb.Error:
        if failures:
            raise failures[0] from failures[0].__cause__
        raise
    finally:
        connection.unregister(name)


def columns(table: Table, names: Sequence[str]) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """Returns columns of a table as DuckDB reads them.

    Raises:
      UserInputError: a file is not readable; while the stream is read.
    """
    schema = pa.schema([(name, streamed_type(table.reader.kinds[name])) for name in names])

    def streamed_batches() -> Iterator[pa.RecordBatch]:
        for batch in batches(table, names):
            yield pa.record_batch(list(map(streamed, batch.columns)), schema=schema)

    return schema, streamed_batches()


def files(table: Table) -> dict[str, Any]:
    """Returns how many files were `read`, `passed_over` by reason, and `ruled_out` by a filter."""
    passed_over = Counter(reason for _, reason in table.passed_over)
    return {
        "read": len(table.files),
        "passed_over": dict(sorted(passed_over.items())),
        "ruled_out": table.pruned,
    }


def batches(table: Table, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yields columns of a table in their canonical types.

    Raises:
      UserInputError: a file is not readable.
    """
    for unit in table.units:
        try:
            for batch, _ in table.reader.read(unit, names):
                yield batch
        except (pa.ArrowException, OSError) as error:
            raise unreadable(table.flag, unit, error) from error


def streamed_type(kind: pa.DataType) -> pa.DataType:
    """Returns the type in which DuckDB gets a canonical type."""
    if kind == pa.string():
        return pa.binary()
    if kind == TIMESTAMP:
        return pa.int64()
    return pa.list_(streamed_type(kind.value_type)) if pa.types.is_list(kind) else kind


def streamed(column: pa.Array) -> pa.Array:
    """Returns a column as DuckDB gets it."""
    return column.cast(streamed_type(column.type))


def type_name(received: pa.DataType, kind: pa.DataType) -> str:
    """Returns a column's type as files have it, or as it is read where they differ."""
    if pa.types.is_dictionary(received):
        received = received.value_type
    if pa.types.is_float16(received):
        received = pa.float32()
    return str(received if kinds.canonical(received) == kind else kind)
