"""Behaviors that are no candidates of the log, as events: given sequences, and earlier parts'."""

import numpy as np
import pyarrow as pa

from features.ids import hashing
from pipeline.join.inputs.event_batches import event_schema
from pipeline.join.inputs.log_columns import LogColumns, Role


def prior_events(
    columns: LogColumns,
    values: dict[str, np.ndarray],
    file: int,
    rows: np.ndarray,
    positions: np.ndarray,
) -> pa.RecordBatch:
    """Returns events of before the log: behaviors and past interactions, unless `values` say more.

    They sort before the log's own events of their instant, and no two are duplicates: every
    given behavior is kept.

    Args:
      columns: of the log; they determine the events' schema.
      values: `[E]` by name of the event's columns; columns that are absent are zero.
      file: the file's position among its input's.
      rows: `[E]` int64, of the file.
      positions: `[E]` int64, within the row.
    """
    schema = event_schema(columns)
    count = len(rows)
    arrays = {
        name: np.zeros(count, kind.to_pandas_dtype())
        for name, kind in zip(schema.names, schema.types, strict=True)
    }
    # -1: of every split. A given sequence may name one.
    arrays["split"] = np.full(count, -1, np.int8)
    arrays["role"] = np.full(count, Role.PRIOR, np.int8)
    arrays.update(values)
    arrays["file"] = np.full(count, -1 - file, np.int32)
    arrays["row"] = positions
    origin = np.full(count, file, np.int64)
    arrays["content"] = hashing.combine(hashing.combine(origin, rows), positions)
    return pa.record_batch([pa.array(arrays[name]) for name in schema.names], schema=schema)
