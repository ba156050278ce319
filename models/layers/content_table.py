"""A quantized embedding set inside the model, looked up by item id."""

import numpy as np
import tensorflow as tf

from features import in_graph
from features.embeddings.embedding_set import EmbeddingSet
from features.ids import id_index
from kernels import library, rows


class ContentTable(tf.Module):
    """Quantized embeddings as variables, which are saved and fingerprinted with the model.

    Rows are in the order of a hash index over the ids (`features.ids.id_index`).

    Args:
      embeddings: N items; items outside the set get the zero vector and norm 0.
      name: the modality.

    Raises:
      ValueError: the set holds no item.
    """

    def __init__(self, embeddings: EmbeddingSet, name: str) -> None:
        super().__init__(name=f"content_{name}")
        if not embeddings.item_ids.size:
            raise ValueError(f"The embedding set of modality {name!r} holds no item.")
        index = id_index.index(embeddings.item_ids)
        order = np.append(index.order, len(index.order))  # [N + 1]: the zero row stays last.
        self._longest = index.longest
        self._starts = _variable(index.starts, "starts")
        self._item_ids = _variable(embeddings.item_ids[index.order], "item_ids")
        self._quantized = _variable(embeddings.quantized[order], "quantized")
        self._norms = _variable(embeddings.norms[order], "norms")

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns item ids `[N]` int64, in any order, and their quantized vectors `[N, M]` int8."""
        return self._item_ids.numpy(), self._quantized.numpy()[:-1]

    def lookup(self, item_ids: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Looks items up, int64 `[...]`.

        Returns:
          Quantized vectors int8 `[..., M]` and norms float32 `[...]`.
        """
        if library.ops():
            index = self._item_ids, self._starts, self._longest
            return rows.content(item_ids, *index, self._quantized, self._norms)
        row = in_graph.indexed_positions(item_ids, self._item_ids, self._starts, self._longest)
        return tf.gather(self._quantized, row), tf.gather(self._norms, row)


def _variable(values: np.ndarray, name: str) -> tf.Variable:
    return tf.Variable(values, trainable=False, name=name)
