"""How the behaviors most similar to a candidate were typed: a kernel regression."""

import functools
from collections.abc import Mapping

import tensorflow as tf

from features import in_graph
from features.embeddings import similarity
from models.inputs.behaviors import Behaviors


def similar_behaviors(
    codes: Mapping[str, tf.Tensor], behaviors: Behaviors, behavior_types: int, width: float
) -> tf.Tensor:
    """Returns each behavior type's share, and the mean residual, of similar behaviors.

    After Nadaraya, "On estimating regression", 1964: with the kernel `k = exp((cosine - 1) /
    width)` of a modality, and the product of all modalities' kernels where there are several,

        share_t = sum_{i of type t} k_i / sum_i k_i

    The unknown code counts as a cosine of 0, so that a candidate without embedding gets the mean
    of all behaviors. Nothing is learned here: an input that a network finds hard to compute, easy
    to use. It costs one exponential a pair and modality and one product `[C, L] [L, Y + 2]` a
    kernel.

    Args:
      codes: `[R, C, L]` uint8 by modality.
      behaviors: mask, type and, where there are any, residuals.
      behavior_types: Y.
      width: of the kernel, in cosines.

    Returns:
      `[R, C, K * Y]` for K kernels, `[R, C, K * (Y + 1)]` with residuals; zeros for an empty
      history.
    """
    known = tf.cast(behaviors.mask, tf.float32)[..., None]
    columns = [tf.one_hot(behaviors.type, behavior_types)]
    if behaviors.residual is not None:
        columns.append(behaviors.residual_value()[..., None])
    values = tf.concat([*columns, tf.ones_like(known)], axis=-1) * known  # [R, L, Y + 2]
    kernels = [_kernel(one, width) for one in codes.values()]
    if len(kernels) > 1:
        kernels.append(functools.reduce(tf.multiply, kernels))
    sums = [tf.matmul(kernel, values) for kernel in kernels]  # [R, C, Y + 2]
    means = [tf.math.divide_no_nan(one[..., :-1], one[..., -1:]) for one in sums]
    return tf.concat(means, axis=-1)


def _kernel(codes: tf.Tensor, width: float) -> tf.Tensor:
    """Returns `exp((cosine - 1) / width)` of every pair, `[R, C, L]` uint8 to float32.

    Of the code itself in one multiplication and one addition: `cosine - 1 = (code - 255) / 127`.
    """
    slope = 1 / (float(similarity.SCALE) * width)
    largest = similarity.CODES - 1
    return tf.exp(slope * in_graph.code_or_zero_cosine(codes) - slope * largest)
