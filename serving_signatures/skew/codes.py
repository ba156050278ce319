"""Similarity codes and candidates' vectors, computed again from the items' own vectors."""

import dataclasses

import numpy as np
import tensorflow as tf

from features import in_graph
from features.embeddings.item_vectors import ItemVectors
from serving_signatures.export.sample_requests import Arrays


@dataclasses.dataclass(frozen=True)
class Recomputed:
    """One modality of R requests, as the graph computes it.

    Attributes:
      vectors: float32 `candidate` `[R, C, M]` and `history` `[R, L, M]`, as they came, zero where
        there is none or it came after the request.
      late: bool `candidate` `[R, C]` and `history` `[R, L]`: it came after the request.
      quantized: `[R, C, M]` int8, of the candidates, late ones too.
      codes: `[R, C, L]` uint8, late ones too.
    """

    vectors: Arrays
    late: Arrays
    quantized: np.ndarray
    codes: np.ndarray

    @property
    def late_pairs(self) -> np.ndarray:
        """Which pairs have a vector that came after the request, `[R, C, L]` bool."""
        return self.late["candidate"][:, :, None] | self.late["history"][:, None, :]


def compute(content: ItemVectors, items: Arrays, timestamps: np.ndarray, name: str) -> Recomputed:
    """Looks vectors up by item id and computes what serving does, with the graph's own code.

    Args:
      content: vectors of the modality.
      items: int64 ids, `candidate` `[R, C]` and `history` `[R, L]`.
      timestamps: `[R]` microseconds, of the requests.
      name: of the modality.
    """
    rows = {side: content.rows(ids) for side, ids in items.items()}
    late = {side: content.available_at[one] > timestamps[:, None] for side, one in rows.items()}
    sides = {
        side: in_graph.quantize(tf.constant(content.vectors[one]), name)
        for side, one in rows.items()
    }
    codes = in_graph.codes(*sides["candidate"], *sides["history"])
    vectors = {
        side: content.vectors[np.where(late[side], len(content.item_ids), one)]
        for side, one in rows.items()
    }
    return Recomputed(vectors, late, sides["candidate"][0].numpy(), codes.numpy())


def quantized(content: ItemVectors, item_ids: np.ndarray, name: str) -> np.ndarray:
    """Returns items' quantized vectors, `[N]` int64 to `[N, M]` int8, zeros where there is none."""
    vectors = content.vectors[content.rows(item_ids)]
    return in_graph.quantize(tf.constant(vectors), name)[0].numpy()
