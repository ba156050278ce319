"""The similarity code: one byte for a cosine, bit for bit the same in NumPy and in the graph.

An embedding is quantized once: `q = round(127 v / max|v|)` as int8, with the norm of q in float32.
The products in `q_a . q_b` are integers whose sum stays below 2^24, so a float32 matrix product is
exact in any order and on any device; all later operations are elementwise and correctly rounded.
`code = 1 + round((cosine + 1) * 127)`; code 0 means that one side has no embedding. A zero vector
has no direction and counts as no embedding. For example the cosines 1, 0 and -1 have the codes
255, 128 and 1.
"""

import functools
from collections.abc import Sequence

import numpy as np

from features.arrays import Array, Floats, SmallIntegers
from features.errors import UserInputError

CODES = 256
"""The number of similarity codes: 0 for unknown, 1 to 255 for cosines in [-1, 1]."""

UNKNOWN_CODE = 0

LARGEST_EXACT_INTEGER = 2**24
SCALE = np.float32(127)
ONE = np.float32(1)

_SLOPES = 20_001
_SMALLEST_MARGIN = 1e-3  # Two float32 roundings of numbers below 256 add up to less than 1e-4.


def quantize(vectors: Array) -> tuple[SmallIntegers, Floats]:
    """Quantizes embeddings row by row.

    Args:
      vectors: `[..., M]` float16, float32 or int8.

    Returns:
      Quantized vectors `[..., M]` int8 and their norms `[...]` float32; both zero for a
      zero vector.

    Raises:
      UserInputError: M is so large that dot products are not exact.
      ValueError: a value is not finite.
    """
    vectors = np.asarray(vectors)
    quantized = vectors if _is_quantized(vectors) else _scaled(vectors.astype(np.float32))
    squares = np.sum(np.square(quantized, dtype=np.int32), axis=-1, dtype=np.int64)
    if np.any(squares > LARGEST_EXACT_INTEGER):
        raise UserInputError(
            f"An embedding of width {vectors.shape[-1]} has a squared norm of {squares.max()} "
            f"after quantization, above 2^24 = {LARGEST_EXACT_INTEGER}: its similarities would "
            "not be exact in float32. Reduce the width (for instance by PCA)."
        )
    return quantized, np.sqrt(squares.astype(np.float64)).astype(np.float32)


def _is_quantized(vectors: Array) -> bool:
    """Whether vectors are already quantized: int8, and 127 or zero is the largest of each."""
    if vectors.dtype != np.int8:
        return False
    highest = vectors.max(axis=-1, initial=0).astype(np.int16)
    lowest = vectors.min(axis=-1, initial=0).astype(np.int16)
    return bool(np.isin(np.maximum(highest, -lowest), (0, 127)).all())


def _scaled(vectors: Floats) -> SmallIntegers:
    """Scales float32 vectors to int8, so that the largest absolute value of each is 127."""
    if not np.isfinite(vectors).all():
        raise ValueError("Embeddings must be finite, received NaN or infinity.")
    largest = np.max(np.abs(vectors), axis=-1, keepdims=True, initial=0)
    scaled: Array = np.rint(SCALE * vectors / np.where(largest > 0, largest, ONE))
    return scaled.astype(np.int8)


def codes(
    quantized_a: SmallIntegers, norms_a: Floats, quantized_b: SmallIntegers, norms_b: Floats
) -> Array:
    """Returns the similarity code of every pair.

    Args:
      quantized_a: `[A, M]` int8.
      norms_a: `[A]` float32, 0 where there is no embedding.
      quantized_b: `[B, M]` int8.
      norms_b: `[B]` float32.

    Returns:
      `[A, B]` uint8.
    """
    values = quantized_a.astype(np.float32) @ quantized_b.astype(np.float32).T
    norms = norms_a[:, None] * norms_b[None, :]
    known = norms > 0
    norms[~known] = ONE
    # In place, for the join's many small products: a cosine, a code, and 0 where it is unknown.
    values /= norms
    values += ONE
    values *= SCALE
    np.rint(values, out=values)
    values += ONE
    values *= known
    return values.astype(np.uint8)


def cosine_of_code(code: Array) -> Array:
    """Returns the cosine in the middle of each code, NaN for the unknown code; any shape."""
    code = np.asarray(code, np.float32)
    return np.where(code == UNKNOWN_CODE, np.float32("nan"), (code - ONE) / SCALE - ONE)


def uniform_edges(buckets: int) -> tuple[float, ...]:
    """Returns the `buckets - 1` inner edges that cut [-1, 1] into equal buckets."""
    if buckets < 1:
        raise ValueError(f"buckets must be at least 1, received {buckets}.")
    return tuple(np.linspace(-1, 1, buckets + 1)[1:-1].tolist())


def bucket_of_code(edges: Sequence[float]) -> Array:
    """Returns the look-up table from similarity code to bucket.

    Args:
      edges: ascending inner edges in (-1, 1); `len(edges) + 1` buckets of known similarity.

    Returns:
      `[256]` int32: 0 for the unknown code, 1 to `len(edges) + 1` for known similarities. A table
      with one row per bucket has `len(edges) + 2` rows.

    Raises:
      ValueError: the edges are not strictly ascending within (-1, 1).
    """
    array = np.asarray(edges, np.float64)
    if np.any(np.diff(array) <= 0) or np.any(np.abs(array) >= 1):
        raise ValueError(
            f"Bucket edges must be strictly ascending within (-1, 1), received {list(edges)}."
        )
    cosines = (np.arange(CODES) - 1) / 127.0 - 1
    table = 1 + np.searchsorted(array, cosines, side="right")
    table[UNKNOWN_CODE] = 0
    return table.astype(np.int32)


@functools.cache
def bucket_line(edges: tuple[float, ...]) -> tuple[np.float32, np.float32] | None:
    """Returns the line whose integer part is the bucket, if there is one.

    Equal buckets have such a line, so a bucket costs one multiplication and one addition per pair
    instead of a look-up.

    Args:
      edges: as for `bucket_of_code`.

    Returns:
      Slope and offset of the line with the largest margin to the next integer; None if no line
      fits with a margin larger than float32's rounding.
    """
    table, code = bucket_of_code(edges), np.arange(CODES)
    slopes = np.linspace(0, 1, _SLOPES) * (table[-1] + 1) / (CODES - 2)
    rise = slopes[:, None] * code  # [slopes, codes]
    # Offsets in [low, high) fit a slope: table <= rise + offset < table + 1 for all codes.
    low, high = np.max(table - rise, axis=1), np.min(table + 1 - rise, axis=1)
    best = np.argmax(high - low)
    if high[best] - low[best] < 2 * _SMALLEST_MARGIN:
        return None
    return np.float32(slopes[best]), np.float32((low[best] + high[best]) / 2)
