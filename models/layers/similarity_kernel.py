"""Types of the behaviors most similar to a candidate: a kernel regression without weights."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from features import in_graph
from features.embeddings import similarity
from kernels import library, pairs
from models.inputs.behaviors import Behaviors
from models.layers import similarity_counts


def similar_behaviors(
    codes: Mapping[str, tf.Tensor],
    behaviors: Behaviors,
    behavior_types: int,
    width: float,
) -> tf.Tensor:
    """Returns the share of each behavior type, and the mean residual, among similar behaviors.

    After Nadaraya, "On estimating regression", 1964: with the kernel `k = exp((cosine - 1) /
    width)` of a modality, and the product of all modalities' kernels where there are several,

        share_t = sum_{i of type t} k_i / sum_i k_i

    The unknown code counts as a cosine of 0, so a candidate without an embedding gets the mean of
    all behaviors. There is nothing to train: a network finds this input hard to compute and easy
    to use. The kernel of a modality is a sum over its counts. The product of kernels costs an
    exponential per pair, and one product `[C, L] [L, Y + 1]`.

    Args:
      codes: `[R, C, L]` uint8 by modality.
      behaviors: mask, type and, if recorded, residuals.
      behavior_types: Y.
      width: the kernel's width, in cosines.

    Returns:
      `[R, C, K * Y]` for K kernels, or `[R, C, K * (Y + 1)]` with residuals; zeros for an empty
      history.
    """
    if library.ops():
        sums = _sums_by_kernel(list(codes.values()), behaviors, behavior_types, width)
    else:
        sums = [_sums(one, behaviors, behavior_types, width) for one in codes.values()]
        if len(codes) > 1:
            sums.append(_sums_of_product(list(codes.values()), behaviors, behavior_types, width))
    means = []
    for one in sums:
        total = tf.reduce_sum(one[..., :behavior_types], axis=-1, keepdims=True)
        means.append(tf.math.divide_no_nan(one, total))
    return tf.concat(means, axis=-1)


def _sums_by_kernel(
    codes: list[tf.Tensor], behaviors: Behaviors, behavior_types: int, width: float
) -> list[tf.Tensor]:
    """Returns `_sums` of each modality, then `_sums_of_product` of several, by a native kernel."""
    sums = pairs.code_sums(
        codes,
        _columns(behaviors, behavior_types),
        behaviors.mask,
        _kernel_of_code(width),
        len(codes) > 1,
    )
    return tf.unstack(sums, axis=2)


def _kernel_of_code(width: float) -> np.ndarray:
    """Returns the kernel of each code, `[256]`; the unknown code's is that of cosine 0."""
    cosines = np.nan_to_num(similarity.cosine_of_code(np.arange(similarity.CODES)))
    return np.exp((cosines - 1) / width)


def _columns(behaviors: Behaviors, behavior_types: int) -> tf.Tensor:
    """Returns 1 for each behavior's type, then its residual, `[R, L, Y (+ 1)]`; 0 for padding."""
    columns = [tf.one_hot(behaviors.type, behavior_types)]
    if behaviors.residual is not None:
        columns.append(behaviors.residual_value()[..., None])
    return tf.concat(columns, axis=-1) * tf.cast(behaviors.mask, tf.float32)[..., None]


def _sums(codes: tf.Tensor, behaviors: Behaviors, behavior_types: int, width: float) -> tf.Tensor:
    """Returns one modality's kernel by type, then times the residual, `[R, C, Y (+ 1)]`."""
    kernel = _kernel_of_code(width)[:, None]
    # TensorFlow computes equal operations of a graph once: tiers read the same counts.
    counts = similarity_counts.counts(codes, behaviors, behavior_types)
    sums = [similarity_counts.apply(counts, kernel)[..., 0]]
    if behaviors.residual is not None:
        residuals = similarity_counts.counts(codes, behaviors, 1, behaviors.residual_value())
        sums.append(similarity_counts.apply(residuals, kernel)[..., 0])
    return tf.concat(sums, axis=-1)


def _sums_of_product(
    codes: list[tf.Tensor], behaviors: Behaviors, behavior_types: int, width: float
) -> tf.Tensor:
    """Returns as `_sums` does, of the product of all modalities' kernels."""
    # Of the sum of cosines: with `cosine - 1 = (code - 255) / 127` the exponent is a line.
    slope = 1 / (float(similarity.SCALE) * width)
    total = tf.add_n([in_graph.code_or_zero_cosine(one) for one in codes])
    largest = (similarity.CODES - 1) * len(codes)
    return tf.matmul(tf.exp(slope * total - slope * largest), _columns(behaviors, behavior_types))
