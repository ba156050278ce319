"""The types that vectors have in files, and vectors of every type as plain lists."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.embeddings import byte_vectors
from features.tables import kinds

VECTORS = "a list of floats or integers, or fixed-size binary of int8"
"""The types that `is_vector` accepts, for messages."""


def is_vector(kind: pa.DataType) -> bool:
    """Whether a type can hold embeddings."""
    kind = _plain(kind)
    if byte_vectors.is_column(kind):
        return True
    return kinds.is_list(kind) and bool(
        pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    )


def fixed_width(kind: pa.DataType) -> int | None:
    """Returns the embedding width M of a fixed-size type, None for other types."""
    kind = _plain(kind)
    if byte_vectors.is_column(kind):
        return int(kind.byte_width)
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def as_lists(column: pa.Array) -> pa.Array:
    """Returns vectors of any accepted type as lists; those of null type as null lists."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return as_lists(column.storage)
    if pa.types.is_dictionary(kind):
        return as_lists(column.dictionary_decode())
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.list_(pa.float32()))
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        # Arrow's own cast mixes up what follows a null.
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        offsets = pa.array(np.append(0, np.cumsum(lengths)).astype(np.int64))
        missing = column.is_null() if column.null_count else None
        return pa.LargeListArray.from_arrays(offsets, pc.list_flatten(column), mask=missing)
    return byte_vectors.as_lists(column)


def _plain(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(kind.storage_type)
    return _plain(kind.value_type) if pa.types.is_dictionary(kind) else kind
