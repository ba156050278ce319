"""Regularization of an embedding table at the cost of a batch's rows."""

import tensorflow as tf

from models.losses import replicas


def squared_rows(table: tf.Variable, rows: tf.Tensor) -> tf.Tensor:
    """Returns this replica's part of the sum of squares of the rows that a batch reads; scalar.

    Each row counts once, however often it is read; the parts of all replicas add up to the sum.
    The gradient is sparse: it names those rows alone, whatever the table's size. So a row is pulled
    towards zero as often as batches read it, as in DIN's mini-batch aware regularization.

    Args:
      table: `[N, D]` float32.
      rows: `[K]` int64, the rows that this replica reads.
    """
    own, _, reads = tf.unique_with_counts(rows)
    # What is distinct and comes first keeps its place.
    _, _, counts = tf.unique_with_counts(tf.concat([own, replicas.gathered(rows)], axis=0))
    share = reads / (counts[: tf.size(own)] - 1)
    squares = tf.reduce_sum(tf.square(tf.gather(table, own)), axis=1)
    return tf.reduce_sum(squares * tf.cast(share, squares.dtype))
