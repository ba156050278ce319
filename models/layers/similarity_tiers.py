"""Similarity tiers: the modality-centric path."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from features.embeddings import similarity
from kernels import library, pairs
from models.inputs.behaviors import Behaviors
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
        self._towers = {
            name: keras.layers.Dense(width, activation="relu", name=f"tower_{name}")
            for name in self._tier_edges
        }

    def call(
        self, codes: Mapping[str, tf.Tensor], behaviors: Behaviors, behavior_types: int = 1
    ) -> tf.Tensor:
        """Returns the towers' outputs side by side.

        Args:
          codes: `[R, C, L]` uint8 by modality.
          behaviors: mask and type.
          behavior_types: Y of `similarity_counts` that other layers read too; tiers are of all
            types.

        Returns:
          `[R, C, width * modalities]`.
        """
        counted = self.histograms(codes, behaviors, behavior_types)
        towers = self._towers.items()
        return tf.concat([tower(tf.math.log1p(counted[name])) for name, tower in towers], axis=-1)

    def histograms(
        self, codes: Mapping[str, tf.Tensor], behaviors: Behaviors, behavior_types: int = 1
    ) -> dict[str, tf.Tensor]:
        """Counts behaviors by tier, `[R, C, tiers]` float32 by modality; arguments as of `call`."""
        tables = {
            name: similarity.bucket_of_code(edges) for name, edges in self._tier_edges.items()
        }
        if library.ops():
            ordered = [codes[name] for name in tables]
            counted = pairs.tier_counts(ordered, behaviors.mask, list(tables.values()))
            return dict(zip(tables, counted, strict=True))
        return {
            name: _histogram(
                similarity_counts.counts(codes[name], behaviors, behavior_types), table
            )
            for name, table in tables.items()
        }


def _histogram(counts: tf.Tensor, tier_of_code: np.ndarray) -> tf.Tensor:
    """Counts behaviors by tier, `[R, C, Y, 256]` to `[R, C, tiers]` float32."""
    of_all_types = tf.squeeze(counts, 2) if counts.shape[2] == 1 else tf.reduce_sum(counts, 2)
    # 1 where a code is in a tier; the unknown code is in none.
    members = tier_of_code[:, None] == np.arange(1, tier_of_code.max() + 1)
    return similarity_counts.apply(of_all_types, members.astype(np.float32))
