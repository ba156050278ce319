"""Regularization of an embedding table at the cost of a batch's rows."""

from collections.abc import Mapping

import tensorflow as tf

from features.schema import ITEM_AXES
from models.layers.id_embedding import IdEmbedding


def squared_rows(embedding: IdEmbedding, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """Returns the sum of squares of the item rows that a batch reads, each row once; scalar.

    Its gradient is sparse: it names those rows alone, whatever the table's size. So a row is
    pulled towards zero as often as batches read it, as in DIN's mini-batch aware regularization.

    Args:
      embedding: the items' table.
      batch: parsed requests with the behaviors that are attended; padding is left out.
    """
    ids = [tf.boolean_mask(batch[axis.item_id], batch[axis.mask]) for axis in ITEM_AXES]
    rows, _ = tf.unique(embedding.rows(tf.concat(ids, axis=0)))
    return tf.reduce_sum(tf.square(tf.gather(embedding.table, rows)))
