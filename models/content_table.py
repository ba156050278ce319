"""A quantised embedding set inside the model, looked up by item id."""

import numpy as np
import tensorflow as tf

from features import in_graph
from features.embedding_set import EmbeddingSet


class ContentTable(tf.Module):
    """Quantised embeddings as variables, so that they are saved and fingerprinted as such.

    Args:
      embeddings: the set; items outside it get the zero vector and norm 0.
      name: the modality.

    Raises:
      ValueError: the set holds no item.
    """

    def __init__(self, embeddings: EmbeddingSet, name: str) -> None:
        super().__init__(name=f"content_{name}")
        if not embeddings.item_ids.size:
            raise ValueError(f"The embedding set of modality {name!r} holds no item.")
        self._item_ids = tf.Variable(embeddings.item_ids, trainable=False, name="item_ids")
        self._quantized = tf.Variable(embeddings.quantized, trainable=False, name="quantized")
        self._norms = tf.Variable(embeddings.norms, trainable=False, name="norms")

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the item ids `[N]` int64 and their quantised vectors `[N, M]` int8."""
        return self._item_ids.numpy(), self._quantized.numpy()[:-1]

    def lookup(self, item_ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Looks items up, int64 `[...]`.

        Returns:
          Quantised vectors int8 `[..., M]` and norms float32 `[...]`.
        """
        position, known = in_graph.find(item_ids, self._item_ids)
        missing = tf.size(self._item_ids, tf.int64)
        row = tf.where(known, position, missing)
        return tf.gather(self._quantized, row), tf.gather(self._norms, row)
