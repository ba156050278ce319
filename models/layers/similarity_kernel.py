"""Types of the behaviors most similar to a candidate: a kernel regression without weights."""

import functools
from collections.abc import Mapping

import tensorflow as tf

from features import in_graph
from features.embeddings import similarity
from models.inputs.behaviors import Behaviors


def similar_behaviors(
    codes: Mapping[str, tf.Tensor], behaviors: Behaviors, behavior_types: int, width: float
) -> tf.Tensor:
    """Returns the share of each behavior type, and the mean residual, among similar behaviors.

    After Nadaraya, "On estimating regression", 1964: with the kernel `k = exp((cosine - 1) /
    width)` of a modality, and the product of all modalities' kernels where there are several,

        share_t = sum_{i of type t} k_i / sum_i k_i

    The unknown code counts as a cosine of 0, so a candidate without an embedding gets the mean of
    all behaviors. There is nothing to train: a network finds this input hard to compute and easy
    to use. It costs one exponential per pair and modality, and one product `[C, L] [L, Y + 2]` per
    kernel.

    Args:
      codes: `[R, C, L]` uint8 by modality.
      behaviors: mask, type and, if recorded, residuals.
      behavior_types: Y.
      width: the kernel's width, in cosines.

    Returns:
      `[R, C, K * Y]` for K kernels, or `[R, C, K * (Y + 1)]` with residuals; zeros for an empty
      history.
    """
    known = tf.cast(behaviors.mask, tf.float32)[..., None]
    columns = [tf.one_hot(behaviors.type, behavior_types)]
    if behaviors.residual is not None:
        columns.append(behaviors.residual_value()[..., None])
    values = tf.concat([*columns, tf.ones_like(known)], axis=-1) * known  # [R, L, Y + 2]
    # The last column counts: dividing by it normalizes the others.
    kernels = [_kernel(one, width) for one in codes.values()]
    if len(kernels) > 1:
        kernels.append(functools.reduce(tf.multiply, kernels))
    sums = [tf.matmul(kernel, values) for kernel in kernels]  # [R, C, Y + 2]
    means = [tf.math.divide_no_nan(one[..., :-1], one[..., -1:]) for one in sums]
    return tf.concat(means, axis=-1)


def _kernel(codes: tf.Tensor, width: float) -> tf.Tensor:
    """Returns `exp((cosine - 1) / width)` of every pair, `[R, C, L]` uint8 to float32.

    With `cosine - 1 = (code - 255) / 127` that is one multiplication and one addition per pair.
    """
    slope = 1 / (float(similarity.SCALE) * width)
    largest = similarity.CODES - 1
    return tf.exp(slope * in_graph.code_or_zero_cosine(codes) - slope * largest)
