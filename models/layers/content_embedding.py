"""Items' frozen content vectors, projected for attention."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras

from features.embeddings.embedding_set import EmbeddingSet
from models.layers.content_table import ContentTable


class ContentEmbedding(keras.layers.Layer):
    """Looks up quantized vectors by item id and projects each modality by one dense layer.

    Each distinct item of a batch is projected once. An item without an embedding gets zeros.

    Args:
      embeddings: frozen vectors by modality.
      width: output width of each modality's projection.
    """

    def __init__(self, embeddings: Mapping[str, EmbeddingSet], width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tables = {name: ContentTable(one, name) for name, one in embeddings.items()}
        self._projections = {
            name: keras.layers.Dense(width, use_bias=False, name=f"projection_{name}")
            for name in embeddings
        }

    @property
    def tables(self) -> dict[str, ContentTable]:
        """The frozen vectors by modality."""
        return self._tables

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Embeds ids, int64 of any shape `[...]` to `[..., width * modalities]` float32."""
        shape = tf.shape(ids)
        distinct, place = tf.unique(tf.reshape(ids, [-1]))  # [N], and [...] flattened
        parts = []
        for name, table in self._tables.items():
            quantized, norm = table.lookup(distinct)  # [N, M], [N]
            # Divided after the projection, which is narrower than the vectors.
            part = self._projections[name](tf.cast(quantized, tf.float32))
            parts.append(tf.math.divide_no_nan(part, norm[:, None]))
        projected = tf.concat(parts, axis=-1)  # [N, width]
        width = projected.shape[-1]
        embedded = tf.reshape(tf.gather(projected, place), tf.concat([shape, [width]], axis=0))
        return tf.ensure_shape(embedded, [*ids.shape, width])

    def project(self, quantized: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Projects vectors by modality, int8 `[..., M]`, to `[..., width * modalities]` float32."""
        parts = []
        for name, projection in self._projections.items():
            unit = tf.math.l2_normalize(tf.cast(quantized[name], tf.float32), axis=-1)
            parts.append(projection(unit))
        return tf.concat(parts, axis=-1)
