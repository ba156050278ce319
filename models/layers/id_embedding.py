"""The embedding table of an id, by vocabulary or by hash."""

import random
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from features import in_graph
from features.errors import UserInputError

_ROWS_AT_ONCE = 1 << 18


class IdEmbedding(keras.layers.Layer):
    """Embeds int64 ids.

    With a vocabulary, each known id has its own row, and unknown ids share `oov_buckets` rows by
    hash. Without one, ids are hashed into `hashed_buckets` rows. In training a random share of the
    ids is treated as unknown, which trains the OOV rows on typical items.

    Args:
      width: embedding width D.
      vocabulary: `[N]` int64, ascending, or None to hash.
      hashed_buckets: rows of a hashed table; used without a vocabulary.
      oov_buckets: rows for unknown ids.
      dropout: share of ids treated as unknown in training, in [0, 1).
    """

    def __init__(
        self,
        width: int,
        vocabulary: np.ndarray | None = None,
        hashed_buckets: int = 0,
        oov_buckets: int = 1,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if vocabulary is None and hashed_buckets < 1:
            raise ValueError(
                f"Give a vocabulary or hashed_buckets >= 1, received hashed_buckets="
                f"{hashed_buckets} and no vocabulary."
            )
        if vocabulary is not None and not len(vocabulary):
            raise ValueError("The vocabulary is empty; leave it out to hash ids instead.")
        if oov_buckets < 1 or not 0 <= dropout < 1:
            raise ValueError(
                f"oov_buckets must be at least 1 and dropout in [0, 1), received {oov_buckets} "
                f"and {dropout}."
            )
        self._width = width
        self._vocabulary_ids = None if vocabulary is None else np.asarray(vocabulary, np.int64)
        self._hashed_buckets = hashed_buckets
        self._oov_buckets = oov_buckets
        self._dropout = dropout

    def build(self, ids_shape: tf.TensorShape) -> None:
        """Creates the table, and the vocabulary as a variable that is saved with it."""
        if self._vocabulary_ids is not None:
            self._vocabulary = self.add_weight(
                "vocabulary",
                (len(self._vocabulary_ids),),
                dtype=tf.int64,
                initializer=lambda shape, dtype: tf.constant(self._vocabulary_ids, dtype),
                trainable=False,
            )
        self._table = self.add_weight(
            "table",
            (self.row_count, self._width),
            initializer=keras.initializers.RandomUniform(-0.05, 0.05),
        )
        if self._dropout:
            # Saved with the weights, so that a resumed run draws the same numbers.
            self._generator = tf.random.Generator.from_seed(random.randrange(2**31))
        super().build(ids_shape)

    @property
    def table(self) -> tf.Variable:
        """The table, `[rows, D]` float32."""
        return self._table

    @property
    def row_count(self) -> int:
        """The number of rows, the first ones of ids outside the vocabulary."""
        known = self._hashed_buckets if self._vocabulary_ids is None else len(self._vocabulary_ids)
        return self._oov_buckets + known

    @property
    def vocabulary(self) -> np.ndarray | None:
        """The ids with a row of their own, `[N]` int64; None for a hashed table."""
        return self._vocabulary_ids

    def adopt(self, earlier: "IdEmbedding") -> tuple[int, int, int]:
        """Copies the rows of an earlier table, matched by id.

        A new id starts with the row that the earlier table looked up for it, an OOV row. If the
        number of OOV rows changed, each starts with the mean of the earlier ones. Example with one
        OOV row o, vocabulary [3, 5] before and [5, 9] now:

            before: o, row of 3, row of 5        now: o, row of 5, o (for 9)

        Args:
          earlier: a built layer.

        Returns:
          The numbers of ids that keep their row, are new, and are dropped.

        Raises:
          UserInputError: the rows have another width, or this table is hashed and the earlier one
            is not, or into another number of rows.
        """
        if earlier._width != self._width:
            raise UserInputError(
                f"{self.name} has rows of width {self._width}, the earlier one of "
                f"{earlier._width}. Set model.embedding_width={earlier._width}, or train from "
                "scratch."
            )
        sources = self.rows_in(earlier)
        counts = self._hashed_buckets, 0, 0
        if self._vocabulary_ids is not None:
            known = np.zeros(0, np.int64) if earlier.vocabulary is None else earlier.vocabulary
            kept = int(np.isin(self._vocabulary_ids, known, assume_unique=True).sum())
            counts = kept, len(self._vocabulary_ids) - kept, len(known) - kept
        unknown = earlier.table[: earlier._oov_buckets]
        if earlier._oov_buckets != self._oov_buckets:
            mean = tf.reduce_mean(unknown, axis=0, keepdims=True)
            unknown = tf.repeat(mean, self._oov_buckets, axis=0)
        self._write(0, unknown)
        # In blocks, so that no second copy of a large table is in memory.
        for start in range(0, len(sources), _ROWS_AT_ONCE):
            part = tf.gather(earlier.table, sources[start : start + _ROWS_AT_ONCE])
            self._write(self._oov_buckets + start, part)
        return counts

    def rows_in(self, earlier: "IdEmbedding") -> tf.Tensor:
        """Returns the earlier table's row of each row after the OOV rows, `[N]` int64.

        Raises:
          UserInputError: this table is hashed and the earlier one is not, or into another number
            of rows.
        """
        if self._vocabulary_ids is not None:
            return earlier.rows(tf.constant(self._vocabulary_ids))
        if earlier._hashed_buckets == self._hashed_buckets:
            return earlier._oov_buckets + tf.range(self._hashed_buckets, dtype=tf.int64)
        raise UserInputError(
            f"{self.name} hashes ids into {self._hashed_buckets} rows, the earlier one into "
            f"{earlier._hashed_buckets} (0: it has a vocabulary). Set "
            f"model.hashed_buckets={earlier._hashed_buckets}, or train from scratch."
        )

    def _write(self, start: int, values: tf.Tensor) -> None:
        """Writes `[K, D]` values to the rows `start` to `start + K - 1`."""
        rows = tf.range(start, start + len(values), dtype=tf.int64)
        self._table.scatter_update(tf.IndexedSlices(values, rows))

    def call(self, ids: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Embeds ids, int64 of any shape `[...]` to `[..., D]` float32."""
        rows = self.rows(ids)
        if training and self._dropout:
            draws = self._generator.uniform(tf.shape(ids))
            rows = tf.where(draws < self._dropout, self._unknown_rows(ids), rows)
        # Unlike tf.gather, it reads single rows of a table sharded over parameter servers.
        return tf.nn.embedding_lookup(self._table, rows)

    def as_unknown(self, ids: tf.Tensor) -> tf.Tensor:
        """Embeds ids as if none were known, as drop-out does in training, `[...]` to `[..., D]`."""
        return tf.nn.embedding_lookup(self._table, self._unknown_rows(ids))

    def _unknown_rows(self, ids: tf.Tensor) -> tf.Tensor:
        return in_graph.bucket(ids, self._oov_buckets)

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Returns each id's row of the table, int64 of the same shape."""
        if self._vocabulary_ids is None:
            return in_graph.hashed_rows(ids, self._hashed_buckets, self._oov_buckets)
        return in_graph.vocabulary_rows(ids, self._vocabulary, self._oov_buckets)
