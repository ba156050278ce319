"""int8 vectors as a Parquet column: fixed-size binary, one byte per value.

Parquet has no one-byte number: it stores a list of int8 as int32 with a dictionary, which is as
small, but 25 times slower to read and 10 times slower to write.
"""

import numpy as np
import pyarrow as pa

from features.arrays import Array


def to_column(vectors: Array) -> pa.FixedSizeBinaryArray:
    """Returns `[N, M]` int8 as a column of N values of M bytes."""
    count, width = vectors.shape
    data = pa.py_buffer(np.ascontiguousarray(vectors, np.int8))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [None, data])


def as_lists(column: pa.Array) -> pa.Array:
    """Returns such a column as lists of int8 over the same bytes, and any other column as it is."""
    if not is_column(column.type):
        return column
    width = column.type.byte_width
    # A slice shares its parent's buffer, hence the offset.
    values = pa.Array.from_buffers(
        pa.int8(), len(column) * width, [None, column.buffers()[1]], offset=column.offset * width
    )
    mask = column.is_null() if column.null_count else None
    return pa.FixedSizeListArray.from_arrays(values, width, mask=mask)


def is_column(kind: pa.DataType) -> bool:
    """Whether a type is that of such columns."""
    return bool(pa.types.is_fixed_size_binary(kind))
