"""SimScore: target attention on ids, and a few similarity scores for the head."""

import tensorflow as tf

from features import in_graph
from features.embeddings import similarity
from features.schema import HISTORY_TYPE
from models.content_model import ContentModel
from models.inputs.batch import Batch
from models.layers import similarity_code_ops

_LOWEST = -2.0
"""Below every cosine."""


class SimScore(ContentModel):
    """ID target attention, with the largest and the mean similarity to the history per modality.

    The plainest way to use similarity, which Sheng et al. (arXiv 2407.19467) start from: the head
    reads a few scores as numbers. It reads the mean per behavior type too, because a candidate
    similar to disliked items differs from one similar to liked items.
    """

    def create_layers(self) -> None:
        """Creates the attention on ids."""
        self.attention = self.target_attention()

    def fuse(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns interest and scores, `[R, C, H * d + (2 + behavior_types) * modalities]`."""
        found = [
            scores(codes, batch[HISTORY_TYPE], self.schema.behavior_types)
            for codes in self.similarity_codes(batch).values()
        ]
        return tf.concat([interest, *found], axis=-1)


def scores(codes: tf.Tensor, types: tf.Tensor, behavior_types: int) -> tf.Tensor:
    """Returns the largest similarity, the mean, and the mean per behavior type.

    A score without any known similarity is 0.

    Args:
      codes: `[R, C, L]` uint8, 0 where similarity is unknown or masked.
      types: `[R, L]` int64 in `[0, behavior_types)`.
      behavior_types: Y.

    Returns:
      `[R, C, 2 + Y]` float32.
    """
    cosine = in_graph.cosine_of_code(codes)
    known = tf.cast(codes != similarity.UNKNOWN_CODE, tf.float32)
    empty = tf.fill([tf.shape(codes)[0], tf.shape(codes)[1], 1], _LOWEST)
    # The extra column keeps the maximum defined where a request has no behavior at all.
    filled = tf.concat([empty, tf.where(known > 0, cosine, _LOWEST)], axis=2)  # [R, C, 1 + L]
    largest = tf.reduce_max(filled, axis=2, keepdims=True)
    largest = tf.where(largest > _LOWEST, largest, 0.0)
    # Sums of cosines and counts of known ones per type, in one pass over the pairs.
    kinds = similarity_code_ops.for_each_candidate(types, tf.shape(codes)[1])
    both = tf.stack([cosine * known, known], axis=2)  # [R, C, 2, L]
    sums = similarity_code_ops.sum_by_code(both, kinds, behavior_types)  # [R, C, 2, Y]
    by_type = tf.math.divide_no_nan(sums[:, :, 0], sums[:, :, 1])
    total = tf.reduce_sum(sums, axis=3, keepdims=True)
    mean = tf.math.divide_no_nan(total[:, :, 0], total[:, :, 1])
    return tf.concat([largest, mean, by_type], axis=-1)
