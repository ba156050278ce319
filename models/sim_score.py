"""SimScore: target attention on ids, and the similarities themselves as side information."""

import numpy as np
import tensorflow as tf

from features import in_graph
from features.embeddings import similarity
from features.schema import HISTORY_TYPE, ExampleSchema, similarity_feature
from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of
from models.layers import code_terms
from models.model_config import ModelConfig

_LOWEST = -2.0


class SimScore(ContentModel):
    """ID target attention, and per modality the largest and the mean similarity to the history.

    The plainest way to use similarity, which Sheng et al. (arXiv 2407.19467) start from: a few
    scores as numbers for the head. The mean is also given by behavior type, because a candidate
    like what was disliked differs from one like what was liked.

    Args:
      config: hyper-parameters.
      schema: what the records hold; every modality of it is used.
      vocabulary: `[N]` int64 item ids, ascending, or None to hash.

    Raises:
      UserInputError: the schema has no modality.
    """

    def __init__(
        self, config: ModelConfig, schema: ExampleSchema, vocabulary: np.ndarray | None
    ) -> None:
        super().__init__(config, schema, vocabulary)
        self.attention = self.target_attention()

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, H * d]`."""
        return self.attention(candidates, history, {}, behaviors_of(batch))

    def joined(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns interest and scores, `[R, C, H * d + (2 + behavior_types) * modalities]`."""
        parts = [interest]
        for modality in self.schema.modalities:
            codes = batch[similarity_feature(modality.name)]
            parts.append(scores(codes, batch[HISTORY_TYPE], self.schema.behavior_types))
        return tf.concat(parts, axis=-1)


def scores(codes: tf.Tensor, types: tf.Tensor, behavior_types: int) -> tf.Tensor:
    """Returns the largest similarity, the mean, and the mean by behavior type; 0 without any.

    Args:
      codes: `[R, C, L]` uint8, 0 where similarity is unknown or masked.
      types: `[R, L]` int64 in `[0, behavior_types)`.
      behavior_types: how many there are.

    Returns:
      `[R, C, 2 + behavior_types]`.
    """
    cosine = in_graph.cosine_of_code(codes)
    known = tf.cast(codes != similarity.UNKNOWN_CODE, tf.float32)
    empty = tf.fill([tf.shape(codes)[0], tf.shape(codes)[1], 1], _LOWEST)
    filled = tf.concat([empty, tf.where(known > 0, cosine, _LOWEST)], axis=2)
    largest = tf.reduce_max(filled, axis=2, keepdims=True)
    largest = tf.where(largest > _LOWEST, largest, 0.0)
    kinds = code_terms.for_each_candidate(types, tf.shape(codes)[1])
    both = tf.stack([cosine * known, known], axis=2)  # [R, C, 2, L]
    sums = code_terms.sum_by_code(both, kinds, behavior_types)
    by_type = tf.math.divide_no_nan(sums[:, :, 0], sums[:, :, 1])
    total = tf.reduce_sum(sums, axis=3, keepdims=True)
    mean = tf.math.divide_no_nan(total[:, :, 0], total[:, :, 1])
    return tf.concat([largest, mean, by_type], axis=-1)
