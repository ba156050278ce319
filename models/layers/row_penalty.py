"""Regularization of an embedding table at the cost of a batch's rows."""

from collections.abc import Mapping

import tensorflow as tf

from models.layers.id_embedding import IdEmbedding


def squared_rows(embedding: IdEmbedding, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns the sum of squares of the item rows that a batch reads, each row once; scalar.

    Its gradient names those rows alone. So a row is pulled towards zero as often as a batch reads
    it, as in DIN's mini-batch aware regularization, and a table of any size stays sparse.

    Args:
      embedding: of items.
      batch: parsed requests with the behaviors that are attended; padding does not count.
    """
    sides = ("candidate", "history")
    ids = [tf.boolean_mask(batch[f"{side}_item_id"], batch[f"{side}_mask"]) for side in sides]
    rows, _ = tf.unique(embedding.rows(tf.concat(ids, axis=0)))
    return tf.reduce_sum(tf.square(tf.gather(embedding.table, rows)))
