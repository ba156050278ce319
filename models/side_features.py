"""Side features of candidates or of the request, as one vector."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from features import in_graph
from features.schema import SideFeature


class SideFeatures(keras.layers.Layer):
    """Embeds categorical side features by hash and squashes numeric ones.

    A categorical feature of several values is the mean of their embeddings; 0 is padding. A
    numeric value x becomes `sign(x) log1p(|x|)`.

    Args:
      features: what to expect, in order.
      prefix: of the names in the batch, `candidate_` or `context_`.
      buckets: rows of each feature's hashed table.
      width: embedding width of a categorical feature.
    """

    def __init__(
        self,
        features: Sequence[SideFeature],
        prefix: str,
        buckets: int = 1024,
        width: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if buckets < 1 or width < 1:
            raise ValueError(f"buckets and width must be >= 1, received {buckets} and {width}.")
        self._features = tuple(features)
        self._prefix = prefix
        self._buckets = buckets
        self._tables = {
            feature.name: self.add_weight(
                f"table_{feature.name}",
                (buckets, width),
                initializer=keras.initializers.RandomUniform(-0.05, 0.05),
            )
            for feature in self._features
            if feature.kind == "categorical"
        }

    def call(self, batch: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Returns one `[..., width]` tensor a feature, from `[..., K]` in the batch."""
        return [self._vector(side, batch[self._prefix + side.name]) for side in self._features]

    def _vector(self, side: SideFeature, values: tf.Tensor) -> tf.Tensor:
        if side.kind == "numeric":
            return tf.sign(values) * tf.math.log1p(tf.abs(values))
        table = self._tables[side.name]
        embedded = tf.gather(table, in_graph.bucket(values, self._buckets))
        known = tf.cast(values != 0, embedded.dtype)[..., None]
        count = tf.maximum(tf.reduce_sum(known, axis=-2), 1.0)
        return tf.reduce_sum(embedded * known, axis=-2) / count
