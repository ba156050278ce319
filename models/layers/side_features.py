"""Side features of candidates or of the request, as vectors for the head."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from features import in_graph
from features.schema import CANDIDATE_MASK, SideFeature
from models.layers.running_statistics import RunningStatistics


class SideFeatures(keras.layers.Layer):
    """Embeds categorical side features by hash, squashes numeric ones, smooths running ones.

    A categorical feature with several values gives the mean of their embeddings; 0 is padding. A
    numeric value x becomes `sign(x) log1p(|x|)`. Running ones go through `RunningStatistics`.

    Args:
      features: the side features, in order.
      prefix: the prefix of their names in a batch, `candidate_` or `context_`.
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
        self._running = {
            feature.name: RunningStatistics(feature, name=feature.name)
            for feature in self._features
            if feature.kind == "running"
        }

    def call(self, batch: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
        """Returns one tensor `[..., width]` per feature, from `[..., K]` in the batch."""
        return [self._vector(side, batch[self._prefix + side.name]) for side in self._features]

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """The embedding tables, `[buckets, width]` float32, by name in the batch."""
        return {f"{self._prefix}{name}": table for name, table in self._tables.items()}

    @property
    def wants_sample(self) -> bool:
        """Whether `adapt` needs a sample, because there are running features."""
        return bool(self._running)

    def adapt(self, batches: Iterable[Mapping[str, tf.Tensor]]) -> None:
        """Fits the statistics that running features are standardized by.

        Args:
          batches: a sample of parsed requests; padding is left out.
        """
        rows: dict[str, list[np.ndarray]] = {name: [] for name in self._running}
        for batch in batches:
            for name, found in rows.items():
                values = batch[self._prefix + name].numpy()
                # Values of candidates are [R, C, K], those of the request [R, K].
                real = batch[CANDIDATE_MASK].numpy() if values.ndim == 3 else slice(None)
                found.append(values[real])
        for name, layer in self._running.items():
            layer.adapt(np.concatenate(rows[name]) if rows[name] else np.zeros((0, 1)))

    def _vector(self, side: SideFeature, values: tf.Tensor) -> tf.Tensor:
        if side.kind == "running":
            return self._running[side.name](values)
        if side.kind == "numeric":
            return tf.sign(values) * tf.math.log1p(tf.abs(values))
        table = self._tables[side.name]
        # As in `IdEmbedding`: it reads single rows of a table sharded over parameter servers.
        embedded = tf.nn.embedding_lookup(table, in_graph.bucket(values, self._buckets))
        known = tf.cast(values != 0, embedded.dtype)[..., None]
        count = tf.maximum(tf.reduce_sum(known, axis=-2), 1.0)
        return tf.reduce_sum(embedded * known, axis=-2) / count
