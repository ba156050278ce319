"""Similarity tiers: the modality-centric path."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from features.embeddings import similarity
from models.layers import similarity_counts


class SimilarityTiers(keras.layers.Layer):
    """A small tower per modality over the number of behaviors in each tier of similarity.

    After SimTier (Sheng et al., "Enhancing Taobao Display Advertising with Multimodal
    Representations", CIKM 2024): the histogram of similarities between a candidate and the
    behaviors, `log1p`, and one dense layer per modality. Behaviors of unknown similarity, such as
    padding, are in no tier.

    Args:
      tier_edges: ascending inner edges in (-1, 1) by modality; `len(edges) + 1` tiers.
      width: output width of each modality's tower.
    """

    def __init__(
        self, tier_edges: Mapping[str, Sequence[float]], width: int = 16, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if width < 1:
            raise ValueError(f"width must be at least 1, received {width}.")
        self._tier_edges = {name: tuple(edges) for name, edges in tier_edges.items()}
        self._tier_of_code = {name: _members(edges) for name, edges in self._tier_edges.items()}
        self._towers = {
            name: keras.layers.Dense(width, activation="relu", name=f"tower_{name}")
            for name in self._tier_edges
        }

    def call(self, counts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the towers' outputs side by side.

        Args:
          counts: `[R, C, Y, 256]` float32 by modality, see `similarity_counts`.

        Returns:
          `[R, C, width * modalities]`.
        """
        return tf.concat(
            [
                tower(tf.math.log1p(self.histogram(name, counts[name])))
                for name, tower in self._towers.items()
            ],
            axis=-1,
        )

    def histogram(self, modality: str, counts: tf.Tensor) -> tf.Tensor:
        """Counts behaviors by tier, `[R, C, Y, 256]` to `[R, C, tiers]` float32."""
        of_all_types = tf.squeeze(counts, 2) if counts.shape[2] == 1 else tf.reduce_sum(counts, 2)
        return similarity_counts.apply(of_all_types, self._tier_of_code[modality])


def _members(edges: Sequence[float]) -> np.ndarray:
    """Returns 1 where a code is in a tier, `[256, tiers]`; the unknown code is in none."""
    tiers = np.arange(1, len(edges) + 2)
    return (similarity.bucket_of_code(edges)[:, None] == tiers).astype(np.float32)
