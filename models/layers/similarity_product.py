"""A logit from the product of a candidate's ID embedding with its mean similarities."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from features import in_graph
from features.embeddings import similarity
from kernels import library, pairs
from models.inputs.behaviors import Behaviors

_COSINE_OF_CODE = np.nan_to_num(similarity.cosine_of_code(np.arange(similarity.CODES)))


class SimilarityProduct(keras.layers.Layer):
    """How much similarity counts for each item: a bilinear form of its id and its similarities.

    Similarity attracts users to some items and says nothing of others. A network over both learns
    that from many impressions of each item, a product from a few, because all items share W:

        logit = e_c . W phi_c,    phi_c = mean cosine of c with the newest K behaviors

    with one coordinate of phi per modality, behavior type and window K. After Rendle,
    "Factorization machines", ICDM 2010, whose pairs are here an id and a number.

    Args:
      windows: numbers K of newest behaviors of a type, each positive.
      behavior_types: Y.
    """

    def __init__(self, windows: Sequence[int], behavior_types: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not windows or min(windows) < 1:
            raise ValueError(f"windows must hold positive numbers, received {tuple(windows)}.")
        self._windows, self._behavior_types = tuple(windows), behavior_types

    def build(self, candidates_shape: tf.TensorShape) -> None:
        """Creates W, at random: if it were zero, neither it nor the embeddings would learn."""
        self._product = keras.layers.Dense(candidates_shape[-1], use_bias=False, name="product")
        super().build(candidates_shape)

    def call(
        self, candidates: tf.Tensor, codes: Mapping[str, tf.Tensor], behaviors: Behaviors
    ) -> tf.Tensor:
        """Returns logits, `[R, C]`; 0 for an empty history.

        Args:
          candidates: `[R, C, D]` item embeddings.
          codes: `[R, C, L]` uint8 by modality.
          behaviors: mask and type, the newest last.
        """
        weights = self._weights(behaviors)
        if library.ops():
            every = list(codes.values())
            sums = pairs.code_sums(every, weights, behaviors.mask, _COSINE_OF_CODE)
            means = tf.unstack(sums, axis=2)
        else:
            means = [tf.matmul(in_graph.cosine_of_code(one), weights) for one in codes.values()]
        return tf.reduce_sum(candidates * self._product(tf.concat(means, axis=-1)), axis=-1)

    def scale(self, factor: float) -> None:
        """Multiplies every logit, by W."""
        self._product.kernel.assign(factor * self._product.kernel)

    def _weights(self, behaviors: Behaviors) -> tf.Tensor:
        """Returns each behavior's weight in each mean, `[R, L, Y * windows]`.

        Those of a mean add up to 1, or are 0 where it has no behavior. Unknown similarity counts
        as a cosine of 0.
        """
        known = tf.one_hot(behaviors.type, self._behavior_types)
        known *= tf.cast(behaviors.mask, tf.float32)[..., None]  # [R, L, Y]
        age = tf.cumsum(known, axis=1, reverse=True)  # 1 for the newest of its type.
        parts = [known * tf.cast(age <= window, tf.float32) for window in self._windows]
        chosen = tf.concat(parts, axis=-1)
        return tf.math.divide_no_nan(chosen, tf.reduce_sum(chosen, axis=1, keepdims=True))
