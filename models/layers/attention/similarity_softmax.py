"""Attention weights from scores and similarity codes, by a native kernel or by stock ops.

Shapes: R requests, C candidates, L behaviors, H heads, B buckets, Y behavior types, K codes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from features import in_graph
from kernels import library, pairs
from kernels.pairs import Weights
from models.layers import similarity_code_ops


class Similarity(NamedTuple):
    """What one modality adds to the scores.

    Attributes:
      codes: `[R, C, L]` uint8.
      buckets: of the codes, in `[0, B)`.
      terms: `[R, C, H, B]` float32.
      biases: `[Y, B, H]` float32.
    """

    codes: tf.Tensor
    buckets: in_graph.BucketOfCode
    terms: tf.Tensor
    biases: tf.Tensor


class BehaviorTerms(NamedTuple):
    """What is added to the scores by a code of the behavior alone.

    Attributes:
      codes: `[R, L]` int32 in `[0, K)`.
      terms: `[R, C, H, K]` float32.
    """

    codes: tf.Tensor
    terms: tf.Tensor

    def of_pairs(self) -> tf.Tensor:
        """Returns each pair's term, `[R, C, H, L]`."""
        return similarity_code_ops.gather_by_code(self.terms, self._codes_of_pairs())

    def mass(self, weights: tf.Tensor) -> tf.Tensor:
        """Returns the sums of weights `[R, C, H, L]` by code, `[R, C, H, K]`."""
        size = self.terms.shape[-1]
        return similarity_code_ops.sum_by_code(weights, self._codes_of_pairs(), size)

    def _codes_of_pairs(self) -> tf.Tensor:
        return similarity_code_ops.for_each_candidate(self.codes, tf.shape(self.terms)[1])


def similarity_softmax(
    scores: tf.Tensor,
    offsets: tf.Tensor,
    types: tf.Tensor,
    modalities: Sequence[Similarity],
    added: BehaviorTerms | None = None,
) -> Weights:
    """Adds the terms of similarity to scores, normalizes them and sums the weights by bucket.

    Args:
      scores: `[R, C, H, L]`.
      offsets: `[R, H, L]`, added to the scores of all candidates.
      types: `[R, L]` integer in `[0, Y)`.
      modalities: what similarity adds.
      added: what is added besides.
    """
    if library.ops():
        similar = [
            pairs.Similarity(one.codes, one.buckets.table, one.terms, one.biases)
            for one in modalities
        ]
        return pairs.bucket_softmax(scores, offsets, types, similar, *(added or ()))
    buckets = [one.buckets(one.codes) for one in modalities]
    if added is not None:
        scores += added.of_pairs()
    terms = [
        similarity_code_ops.gather_by_type_and_code(one.terms, one.biases, types, bucket)
        for one, bucket in zip(modalities, buckets, strict=True)
    ]
    weights = tf.nn.softmax(tf.add_n([scores, *terms]) + offsets[:, None])
    by_bucket = [
        similarity_code_ops.sum_by_code(weights, bucket, one.terms.shape[-1])
        for one, bucket in zip(modalities, buckets, strict=True)
    ]
    return Weights(weights, None if added is None else added.mass(weights), by_bucket)
