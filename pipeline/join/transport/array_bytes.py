"""NumPy arrays as bytes, to pass them between the join's steps."""

import io
from collections.abc import Sequence

import numpy as np


def to_bytes(arrays: Sequence[np.ndarray]) -> bytes:
    """Returns several arrays as bytes."""
    sink = io.BytesIO()
    for array in arrays:
        np.lib.format.write_array(sink, np.ascontiguousarray(array), allow_pickle=False)
    return sink.getvalue()


def from_bytes(data: bytes, count: int) -> list[np.ndarray]:
    """Returns the arrays that `to_bytes` was given."""
    source = io.BytesIO(data)
    return [np.lib.format.read_array(source) for _ in range(count)]
