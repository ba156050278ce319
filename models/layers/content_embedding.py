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
            quantized, _ = table.lookup(distinct)  # [N, M]
            unit = tf.math.l2_normalize(tf.cast(quantized, tf.float32), axis=-1)
            parts.append(self._projections[name](unit))
        rows = tf.gather(tf.concat(parts, axis=-1), place)  # [..., width] flattened
        width = sum(part.shape[-1] for part in parts)
        embedded = tf.reshape(rows, tf.concat([shape, [width]], axis=0))
        return tf.ensure_shape(embedded, [*ids.shape, width])
