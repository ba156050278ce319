"""The vectors of some items of an embedding set, as the encoder wrote them."""

import dataclasses

import numpy as np

from features import id_kinds
from features.arrays import Array, Integers
from features.embeddings import embedding_files
from features.embeddings.embedding_files import EmbeddingFiles
from features.ids import id_table


@dataclasses.dataclass(frozen=True)
class ItemVectors:
    """Vectors of K items; row K, one past the last, is for all other items.

    Attributes:
      item_ids: `[K]` int64, strictly ascending.
      vectors: `[K + 1, M]` float32, not normalized; the last is zero.
      available_at: `[K + 1]` int64, microseconds; a vector is used for requests from then on.
    """

    item_ids: Integers
    vectors: Array
    available_at: Integers

    def rows(self, item_ids: Integers) -> Integers:
        """Returns each item's row, K without a vector; int64 of any shape."""
        return id_table.positions(item_ids, self.item_ids)


def of_items(item_ids: Integers, vectors: Array, available_at: Integers) -> ItemVectors:
    """Sorts vectors by item; of several vectors of one item the first is kept.

    Args:
      item_ids: `[K]` int64.
      vectors: `[K, M]` numbers.
      available_at: `[K]` int64 microseconds.
    """
    distinct, first = np.unique(item_ids, return_index=True)
    zero = np.zeros((1, vectors.shape[1]), np.float32)
    return ItemVectors(
        distinct,
        np.concatenate([vectors[first].astype(np.float32), zero]),
        np.append(available_at[first], embedding_files.ALWAYS).astype(np.int64),
    )


def read_item_vectors(
    files: EmbeddingFiles, item_ids: Integers, item_kind: id_kinds.Kind | None = None
) -> ItemVectors:
    """Reads the vectors of some items, batch by batch.

    Args:
      files: of an embedding set.
      item_ids: `[N]` int64; items without a vector are not in the result.
      item_kind: what the model's item ids are; None where that is unknown.

    Raises:
      UserInputError: a file is not readable, or the set's ids are of another kind.
    """
    remedy = "Give the set that the join read."
    id_kinds.check(files.item_kind, f"--{files.table.flag}", item_kind, "the model", remedy)
    ids = [np.zeros(0, np.int64)]
    vectors = [np.zeros((0, files.dimension), np.float32)]
    times = [np.zeros(0, np.int64)]
    for _, rows in files.read():
        wanted = np.isin(rows.item_ids, item_ids)
        ids.append(rows.item_ids[wanted])
        vectors.append(rows.vectors[wanted])
        times.append(rows.available_at[wanted])
    return of_items(np.concatenate(ids), np.concatenate(vectors), np.concatenate(times))
