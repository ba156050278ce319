"""Similarity tiers: the modality-centric path."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from features import in_graph
from models.layers import similarity_code_ops


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
        self._bucket_of_code = {
            name: in_graph.BucketOfCode(edges) for name, edges in self._tier_edges.items()
        }
        self._towers = {
            name: keras.layers.Dense(width, activation="relu", name=f"tower_{name}")
            for name in self._tier_edges
        }

    def call(self, codes: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the towers' outputs side by side.

        Args:
          codes: `[R, C, L]` uint8 by modality, 0 where similarity is unknown or masked.

        Returns:
          `[R, C, width * modalities]`.
        """
        return tf.concat(
            [
                tower(tf.math.log1p(self.histogram(name, codes[name])))
                for name, tower in self._towers.items()
            ],
            axis=-1,
        )

    def histogram(self, modality: str, codes: tf.Tensor) -> tf.Tensor:
        """Counts behaviors by tier, `[R, C, L]` uint8 to `[R, C, tiers]` float32."""
        count = len(self._tier_edges[modality]) + 2
        buckets = self._bucket_of_code[modality](codes)
        # Bucket 0 is that of unknown similarity.
        return similarity_code_ops.count_by_code(buckets, count)[..., 1:]
