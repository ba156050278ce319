"""The similarity code: one byte for a cosine, bit for bit the same in NumPy and in the graph.

An embedding is quantised once: `q = round(127 v / max|v|)`, int8, with the norm of q in
float32. The products in `q_a . q_b` are integers whose sum stays below 2^24, so a float32
matrix product is exact in any order and on any device; everything after it is elementwise
and correctly rounded. `code = 1 + round((cosine + 1) * 127)`; code 0 means that one side has
no embedding. A zero vector has no direction and counts as no embedding.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

CODES = 256
"""How many similarity codes there are: 0 for unknown, 1..255 for cosines in [-1, 1]."""

UNKNOWN_CODE = 0

_LARGEST_EXACT_INTEGER = 2**24
_SCALE = np.float32(127)
_ONE = np.float32(1)


def quantize(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantises embeddings row by row.

    Args:
      vectors: `[..., M]` float16, float32 or int8.

    Returns:
      Quantised vectors `[..., M]` int8 and their norms `[...]` float32; both zero for a
      zero vector.

    Raises:
      ValueError: a value is not finite, or M is so large that dot products are not exact.
    """
    vectors = np.asarray(vectors, np.float32)
    if not np.isfinite(vectors).all():
        raise ValueError("Embeddings must be finite, received NaN or infinity.")
    largest = np.max(np.abs(vectors), axis=-1, keepdims=True, initial=0)
    quantized = np.rint(_SCALE * vectors / np.where(largest > 0, largest, _ONE)).astype(np.int8)
    squares = np.sum(np.square(quantized, dtype=np.int32), axis=-1, dtype=np.int64)
    if np.any(squares > _LARGEST_EXACT_INTEGER):
        raise ValueError(
            f"An embedding of width {vectors.shape[-1]} has a squared norm of {squares.max()} "
            f"after quantisation, above 2^24 = {_LARGEST_EXACT_INTEGER}: its similarities would "
            "not be exact in float32. Reduce the width (for instance by PCA)."
        )
    return quantized, np.sqrt(squares.astype(np.float64)).astype(np.float32)


def quantize_in_graph(vectors: tf.Tensor, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Quantises embeddings; equal to `quantize`.

    Args:
      vectors: `[..., M]` float32.
      name: the input's name, for the error message.

    Returns:
      Quantised vectors `[..., M]` int8 and norms `[...]` float32.

    Raises:
      InvalidArgumentError: at run time, when a value is not finite or a norm too large.
    """
    vectors = tf.debugging.assert_all_finite(
        vectors, f"{name}: embeddings must be finite, received NaN or infinity"
    )
    largest = tf.reduce_max(tf.abs(vectors), axis=-1, keepdims=True)
    rounded = tf.round(_SCALE * vectors / tf.where(largest > 0, largest, tf.ones_like(largest)))
    squares = tf.reduce_sum(tf.square(tf.cast(rounded, tf.int32)), axis=-1)
    with tf.control_dependencies(
        [
            tf.debugging.Assert(
                tf.reduce_all(squares <= _LARGEST_EXACT_INTEGER),
                [f"{name}: squared norm after quantisation must be at most 2^24"],
            )
        ]
    ):
        norms = tf.cast(tf.sqrt(tf.cast(squares, tf.float64)), tf.float32)
    return tf.cast(rounded, tf.int8), norms


def codes(
    quantized_a: np.ndarray, norms_a: np.ndarray, quantized_b: np.ndarray, norms_b: np.ndarray
) -> np.ndarray:
    """Returns the similarity code of every pair.

    Args:
      quantized_a: `[A, M]` int8.
      norms_a: `[A]` float32, 0 where there is no embedding.
      quantized_b: `[B, M]` int8.
      norms_b: `[B]` float32.

    Returns:
      `[A, B]` uint8.
    """
    dots = quantized_a.astype(np.float32) @ quantized_b.astype(np.float32).T
    norms = norms_a[:, None] * norms_b[None, :]
    known = norms > 0
    cosines = dots / np.where(known, norms, _ONE)
    return np.where(known, _ONE + np.rint((cosines + _ONE) * _SCALE), 0).astype(np.uint8)


def codes_in_graph(
    quantized_a: tf.Tensor, norms_a: tf.Tensor, quantized_b: tf.Tensor, norms_b: tf.Tensor
) -> tf.Tensor:
    """Returns the similarity code of every pair of each request; equal to `codes`.

    Args:
      quantized_a: `[R, A, M]` int8.
      norms_a: `[R, A]` float32.
      quantized_b: `[R, B, M]` int8.
      norms_b: `[R, B]` float32.

    Returns:
      `[R, A, B]` uint8.
    """
    dots = tf.matmul(
        tf.cast(quantized_a, tf.float32), tf.cast(quantized_b, tf.float32), transpose_b=True
    )
    norms = norms_a[..., :, None] * norms_b[..., None, :]
    known = norms > 0
    cosines = dots / tf.where(known, norms, tf.ones_like(norms))
    return tf.cast(
        tf.where(known, _ONE + tf.round((cosines + _ONE) * _SCALE), tf.zeros_like(norms)), tf.uint8
    )


def cosine_of_code(code: np.ndarray) -> np.ndarray:
    """Returns the cosine in the middle of each code, NaN for the unknown code; any shape."""
    code = np.asarray(code, np.float32)
    return np.where(code == UNKNOWN_CODE, np.float32("nan"), (code - _ONE) / _SCALE - _ONE)


def uniform_edges(buckets: int) -> tuple[float, ...]:
    """Returns the `buckets - 1` inner edges that cut [-1, 1] into equal buckets."""
    if buckets < 1:
        raise ValueError(f"buckets must be at least 1, received {buckets}.")
    return tuple(np.linspace(-1, 1, buckets + 1)[1:-1].tolist())


def bucket_of_code(edges: Sequence[float]) -> np.ndarray:
    """Returns the look-up table from similarity code to bucket.

    Args:
      edges: ascending inner edges in (-1, 1); `len(edges) + 1` buckets of known similarity.

    Returns:
      `[256]` int32: 0 for the unknown code, 1..len(edges)+1 for known similarities. So a table
      with a row a bucket has `len(edges) + 2` rows.

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
