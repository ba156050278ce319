"""Ways to find an item's row of a table inside a model, all of TensorFlow's own ops."""

import abc
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from features import in_graph
from features.ids import hashing, id_index

_PROBED = 2  # Slots an id at least: open addressing wants half of them empty.


class ItemIndex(tf.Module, abc.ABC):
    """Item ids, and what finds them.

    Args:
      ids: `[N]` int64, ascending.

    Attributes:
      ids: `[N]` int64, in the order of the rows that are found.
    """

    def __init__(self, ids: np.ndarray) -> None:
        super().__init__()
        self.ids = ids

    @abc.abstractmethod
    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns each id's row, N where it is absent; integers of the same shape."""


class BinarySearch(ItemIndex):
    """Ascending ids and `tf.searchsorted`."""

    def __init__(self, ids: np.ndarray) -> None:
        super().__init__(ids)
        self._ids = _variable(ids)

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        position, known = in_graph.find(ids, self._ids)
        return tf.where(known, position, len(self.ids))


class HashBuckets(ItemIndex):
    """`features.ids.id_index`, as in `models.layers.content_table`."""

    def __init__(self, ids: np.ndarray) -> None:
        index = id_index.index(ids)
        super().__init__(ids[index.order])
        self._ids = _variable(self.ids)
        self._starts = _variable(index.starts)
        self._longest = index.longest

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        return in_graph.indexed_positions(ids, self._ids, self._starts, self._longest)


class OpenAddressing(ItemIndex):
    """Linear probing: a power of two of slots with id and row, and the most probes there are."""

    def __init__(self, ids: np.ndarray) -> None:
        super().__init__(ids)
        self._slots = 1 << (_PROBED * len(ids) - 1).bit_length()
        home = hashing.bucket(ids, self._slots)
        order = np.argsort(home, kind="stable")
        number = np.arange(len(ids))
        slot = np.maximum.accumulate(home[order] - number) + number
        self._probes = int((slot - home[order]).max()) + 1
        # Probes go on past the last slot rather than to the first.
        keys = np.zeros(self._slots + self._probes, np.int64)
        rows = np.full(len(keys), len(ids), np.int32)
        keys[slot], rows[slot] = ids[order], order
        self._keys, self._rows = _variable(keys), _variable(rows)

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(ids, [-1, 1])
        slot = in_graph.bucket(flat, self._slots) + tf.range(self._probes, dtype=tf.int64)
        found = tf.equal(tf.gather(self._keys, slot), flat)
        # The last slot is always empty, as is every other that an absent id 0 is found in.
        last = self._slots + self._probes - 1
        found = tf.reduce_min(tf.where(found, slot, last), axis=1)
        return tf.reshape(tf.gather(self._rows, found), tf.shape(ids))


class StaticTable(ItemIndex):
    """`tf.lookup.StaticHashTable`, filled when the model is loaded."""

    def __init__(self, ids: np.ndarray) -> None:
        super().__init__(ids)
        values = tf.lookup.KeyValueTensorInitializer(ids, np.arange(len(ids)))
        self._table = tf.lookup.StaticHashTable(values, len(ids))

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        return self._table.lookup(ids)


class DenseTable(ItemIndex):
    """`MutableDenseHashTable`, filled when the model is loaded."""

    def __init__(self, ids: np.ndarray) -> None:
        super().__init__(ids)
        least = np.iinfo(np.int64).min
        self._table = tf.lookup.experimental.DenseHashTable(
            tf.int64,
            tf.int64,
            default_value=len(ids),
            empty_key=least,
            deleted_key=least + 1,
            initial_num_buckets=1 << (_PROBED * len(ids) - 1).bit_length(),
        )
        self._table.insert(tf.constant(ids), tf.range(len(ids), dtype=tf.int64))

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        return tf.reshape(self._table.lookup(tf.reshape(ids, [-1])), tf.shape(ids))


WAYS: Mapping[str, type[ItemIndex]] = {
    "binary_search": BinarySearch,
    "hash_buckets": HashBuckets,
    "open_addressing": OpenAddressing,
    "static_hash_table": StaticTable,
    "dense_hash_table": DenseTable,
}


def _variable(values: np.ndarray) -> tf.Variable:
    return tf.Variable(values, trainable=False)
