"""Arrow batches as bytes, to pass them between the join's steps."""

from collections.abc import Iterable

import pyarrow as pa


def to_bytes(batch: pa.RecordBatch) -> bytes:
    """Returns a batch in Arrow's IPC format."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def table_of(parts: Iterable[bytes], schema: pa.Schema) -> pa.Table:
    """Returns the rows of several batches of one schema, in their order, as one chunk."""
    batches = []
    for part in parts:
        with pa.ipc.open_stream(part) as reader:
            batches.extend(reader)
    return pa.Table.from_batches(batches, schema).combine_chunks()


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """Returns a table's rows as one batch."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
