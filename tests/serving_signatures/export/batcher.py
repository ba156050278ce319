"""What TensorFlow Serving's BatchingSession does with requests, in NumPy.

It joins dimension 0 of every input, fills the batch up to the next allowed size with the first
row of its last request, runs the graph once, and splits dimension 0 of every output. One status
is everybody's.
"""

from collections.abc import Callable, Sequence

import numpy as np

Arrays = dict[str, np.ndarray]


class RefusedError(Exception):
    """The server refuses the requests before the graph sees them."""


def run(
    call: Callable[[Arrays], Arrays], requests: Sequence[Arrays], allowed: Sequence[int]
) -> list[Arrays]:
    """Returns each request's outputs.

    Args:
      call: runs the graph.
      requests: inputs by name, of one signature.
      allowed: batch sizes, ascending; the last is the largest batch.
    """
    sizes = [_size(request) for request in requests]
    fitting = [size for size in allowed if size >= sum(sizes)]
    if not fitting:
        raise RefusedError(f"{sum(sizes)} rows are more than the largest batch, {allowed[-1]}")
    padding = fitting[0] - sum(sizes)
    merged = {}
    for name in requests[0]:
        parts = [request[name] for request in requests]
        if len({part.shape[1:] for part in parts}) > 1:
            raise RefusedError(f"{name}: shapes differ, and padding is turned off")
        merged[name] = np.concatenate([*parts, *[parts[-1][:1]] * padding])
    outputs = call(merged)
    for name, value in outputs.items():
        if not value.ndim or len(value) != fitting[0]:
            raise RefusedError(f"{name}: dimension 0 is not the batch's")
    ends = np.cumsum(sizes)
    return [
        {name: value[end - size : end] for name, value in outputs.items()}
        for size, end in zip(sizes, ends, strict=True)
    ]


def _size(request: Arrays) -> int:
    if not all(value.ndim for value in request.values()):
        raise RefusedError("an input is a scalar")
    sizes = {len(value) for value in request.values()}
    if len(sizes) != 1:
        raise RefusedError(f"inputs differ in dimension 0: {sizes}")
    return sizes.pop()
