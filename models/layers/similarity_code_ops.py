"""Look-ups and sums by a small code of each pair, instead of tensors of shape `[C, L, d]`.

A term that depends on a pair (candidate, behavior) through a code in `[0, B)` alone enters
attention as a `[C, B]` product followed by a gather, and leaves it as a sum of attention mass per
code. Both are exact rearrangements (docs/design.md, "Identities"). One candidate, behaviors of
codes 0, 2, 0 with weights .5, .3, .2: the mass is [.7, 0, .3], and `mass @ table` equals the
weighted sum of three rows.

Shapes: R requests, C candidates, L behaviors, H heads, d head width, B codes, Y behavior types.
"""

import contextlib

import tensorflow as tf


def gather_by_code(terms: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    """Looks up each pair's term by its code.

    Args:
      terms: `[R, C, H, B]` float.
      codes: `[R, C, L]` integer in `[0, B)`.

    Returns:
      `[R, C, H, L]` float.
    """
    rows = tf.cast(codes, tf.int32)[:, :, None, :]
    return _look_up(tf.reshape(terms, [-1]), _row_starts(tf.shape(terms)) + rows)


def gather_by_type_and_code(
    terms: tf.Tensor, biases: tf.Tensor, types: tf.Tensor, codes: tf.Tensor
) -> tf.Tensor:
    """Looks up each pair's term by its code, plus a bias by the behavior's type and that code.

    A table of their sums, `[C, Y * B]` additions, makes it one look-up per pair instead of two.

    Args:
      terms: `[R, C, H, B]` float.
      biases: `[Y, B, H]` float.
      types: `[R, L]` integer in `[0, Y)`.
      codes: `[R, C, L]` integer in `[0, B)`.

    Returns:
      `[R, C, H, L]` float.
    """
    count, size, _ = biases.shape
    shape = tf.shape(terms)
    table = terms[:, :, :, None] + tf.transpose(biases, [2, 0, 1])  # [R, C, H, Y, B]
    table = tf.reshape(table, [shape[0], shape[1], shape[2], count * size])  # [R, C, H, Y * B]
    offsets = (tf.cast(types, tf.int32) * size)[:, None, :]  # [R, 1, L]: row type * B + code
    return gather_by_code(table, offsets + tf.cast(codes, tf.int32))


def _look_up(table: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
    """Returns `table[positions]` of an `[N]` table and int32 positions of any shape.

    Not `tf.gather`, which copies slices of any size: for single numbers it takes a third longer.
    """
    found = tf.gather_nd(table, tf.reshape(positions, [-1, 1]))
    return tf.reshape(found, tf.shape(positions))


def sum_by_code(weights: tf.Tensor, codes: tf.Tensor, size: int) -> tf.Tensor:
    """Sums the weights of the behaviors that share a code.

    Args:
      weights: `[R, C, H, L]` float.
      codes: `[R, C, L]` integer in `[0, size)`.
      size: B.

    Returns:
      `[R, C, H, B]` float.
    """
    shape = tf.shape(weights)
    rows = tf.reshape(_per_head(codes, shape[2]), [-1, shape[3]])  # [R * C * H, L]
    sums = tf.raw_ops.DenseBincount(
        input=rows, size=size, weights=tf.reshape(weights, [-1, shape[3]])
    )
    return tf.reshape(sums, [shape[0], shape[1], shape[2], size])


def _per_head(codes: tf.Tensor, heads: tf.Tensor) -> tf.Tensor:
    """Repeats codes for every head, `[R, C, L]` to `[R, C, H, L]` int32."""
    shape = tf.shape(codes)
    expanded = tf.cast(codes, tf.int32)[:, :, None, :]
    return tf.broadcast_to(expanded, [shape[0], shape[1], heads, shape[2]])


def for_each_candidate(codes: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """Repeats behaviors' codes for each of C candidates, `[R, L]` to `[R, C, L]` int32."""
    shape = tf.shape(codes)
    codes = tf.cast(codes, tf.int32)[:, None, :]
    return tf.broadcast_to(codes, [shape[0], candidates, shape[1]])


def _row_starts(shape: tf.Tensor) -> tf.Tensor:
    """Returns each row's start in flattened `[R, C, H, B]` terms, `[R, C, H, 1]` int32."""
    rows = tf.reshape(tf.range(shape[0] * shape[1] * shape[2]), shape[:3])
    return rows[..., None] * shape[3]


def _dense_bincount_gradient(
    operation: tf.Operation, upstream: tf.Tensor
) -> tuple[None, None, tf.Tensor]:
    """Returns the gradient of a sum by code: a gather by code. TensorFlow defines none."""
    codes = operation.inputs[0]
    rows = tf.range(tf.shape(codes)[0])[:, None]
    positions = rows * tf.shape(upstream)[1] + codes
    return None, None, tf.gather(tf.reshape(upstream, [-1]), positions)


with contextlib.suppress(KeyError):  # A TensorFlow that defines this gradient keeps its own.
    tf.RegisterGradient("DenseBincount")(_dense_bincount_gradient)
