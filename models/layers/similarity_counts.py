"""Counts of behaviors by type and similarity code: all that tiers and kernels read of the pairs.

The number of behaviors in a tier and the sum of a kernel are linear in one histogram per candidate
and modality. So the pairs are passed over once, and a product with a constant column gives each
feature. Behaviors of the codes 128, 255, 128 with types 0, 1, 1: the histogram is 1 at (0, 128),
(1, 128) and (1, 255), and the kernel of type 1 sums to `k[128] + k[255]`.

Shapes: R requests, C candidates, L behaviors, Y behavior types, F features.
"""

import numpy as np
import tensorflow as tf

from features.embeddings import similarity
from models.inputs.behaviors import Behaviors


def counts(
    codes: tf.Tensor,
    behaviors: Behaviors,
    behavior_types: int = 1,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Counts each candidate's behaviors by type and code; padding is not counted.

    The result takes `1024 * Y` bytes for each candidate, however long the history is.

    Args:
      codes: `[R, C, L]` uint8.
      behaviors: mask and type.
      behavior_types: Y; 1 to count all types together.
      weights: `[R, L]` float32, summed instead of counting.

    Returns:
      `[R, C, Y, 256]` float32.
    """
    shape = tf.shape(codes)
    size = behavior_types * similarity.CODES
    types = tf.cast(behaviors.type, tf.int32) if behavior_types > 1 else 0
    # Positions of padding are outside of the histogram, which leaves them out.
    starts = tf.where(behaviors.mask, types * similarity.CODES, size)  # [R, L]
    positions = tf.cast(codes, tf.int32) + starts[:, None]  # [R, C, L]
    each = tf.zeros([0])
    if weights is not None:
        each = tf.reshape(tf.broadcast_to(weights[:, None], shape), [-1, shape[2]])
    found = tf.raw_ops.DenseBincount(
        input=tf.reshape(positions, [-1, shape[2]]), size=size, weights=each
    )
    return tf.reshape(found, [shape[0], shape[1], behavior_types, similarity.CODES])


def apply(counted: tf.Tensor, by_code: np.ndarray) -> tf.Tensor:
    """Sums what behaviors have by their code, `[..., 256]` and `[256, F]` to `[..., F]`."""
    # Not tf.matmul, which oneDNN computes wrongly here: see multi_head_ops.
    return tf.tensordot(counted, tf.constant(by_code, tf.float32), 1)
