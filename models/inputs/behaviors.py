"""Features of a request's behaviors other than their items."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from features.embeddings import similarity

TIME_GAP_EDGES = tuple(4.0**exponent for exponent in range(1, 14))
"""Inner edges of the time-gap buckets in seconds: 4 s, 16 s, 64 s, ... 2.1 years."""

RESIDUAL_BUCKETS = 21
"""Residual buckets of each behavior type: one for unknown, then 20 equal ones over [-1, 1]."""

_BUCKET_OF_CODE = similarity.bucket_of_code(similarity.uniform_edges(RESIDUAL_BUCKETS - 1))
_VALUE_OF_CODE = np.nan_to_num(similarity.cosine_of_code(np.arange(similarity.CODES)))


class Behaviors(NamedTuple):
    """Mask, time gap, type and residual of each behavior.

    Shapes: R requests, L behaviors, Y behavior types.

    Attributes:
      mask: `[R, L]` bool, False for padding.
      time_gap: `[R, L]` int64, seconds before the request.
      type: `[R, L]` int64 in `[0, Y)`.
      residual: `[R, L]` int64 codes, see `features.records.running_statistics`; None for records
        without running statistics.
    """

    mask: tf.Tensor
    time_gap: tf.Tensor
    type: tf.Tensor
    residual: tf.Tensor | None = None

    def gap_bucket(self) -> tf.Tensor:
        """Returns the bucket of each time gap, `[R, L]` int32."""
        return tf.raw_ops.Bucketize(input=self.time_gap, boundaries=list(TIME_GAP_EDGES))

    def residual_value(self) -> tf.Tensor:
        """Returns the residuals in [-1, 1], 0 where unknown, `[R, L]` float32."""
        return tf.gather(_VALUE_OF_CODE, tf.cast(self.residual, tf.int32))

    def recent_types(self, behavior_types: int, newest: Sequence[int]) -> tf.Tensor:
        """Returns each type's share of the newest behaviors.

        Args:
          behavior_types: Y.
          newest: numbers of newest behaviors; the shares are computed for each number.

        Returns:
          `[R, len(newest) * Y]` float32, zeros for an empty history.
        """
        known = tf.cast(self.mask, tf.int32)
        age = tf.cumsum(known, axis=1, reverse=True)  # 1 for the newest
        typed = tf.one_hot(self.type, behavior_types)  # [R, L, Y]
        shares = []
        for count in newest:
            counted = tf.cast(known * tf.cast(age <= count, tf.int32), tf.float32)
            total = tf.reduce_sum(counted, axis=1, keepdims=True)
            sums = tf.reduce_sum(counted[..., None] * typed, axis=1)  # [R, Y]
            shares.append(tf.math.divide_no_nan(sums, total))
        return tf.concat(shares, axis=-1)

    def code(self, behavior_types: int, residuals: bool) -> tf.Tensor:
        """Returns each behavior's row of `rows_by_code`, `[R, L]` int32.

        Args:
          behavior_types: Y.
          residuals: whether rows differ by residual.
        """
        if residuals:
            row, rows = self.residual_bucket(), behavior_types * RESIDUAL_BUCKETS
        else:
            row, rows = tf.cast(self.type, tf.int32), behavior_types
        return self.gap_bucket() * rows + row

    def residual_bucket(self) -> tf.Tensor:
        """Returns the bucket of type and residual, `[R, L]` int32 in `[0, Y * 21)`."""
        bucket = tf.gather(_BUCKET_OF_CODE, tf.cast(self.residual, tf.int32))
        return tf.cast(self.type, tf.int32) * RESIDUAL_BUCKETS + bucket


def rows_by_code(gaps: tf.Tensor, types: tf.Tensor, residuals: tf.Tensor | None) -> tf.Tensor:
    """Adds up the tables of gap, type and residual, so that a behavior looks up one row, not three.

    Args:
      gaps: `[14, H, d]`, by bucket of the time gap.
      types: `[Y, H, d]`.
      residuals: `[Y * 21, H, d]`, by type and residual; None to leave residuals out.

    Returns:
      `[14 * Y, H, d]`, or `[14 * Y * 21, H, d]` with residuals, by `Behaviors.code`.
    """
    rows = types
    if residuals is not None:
        rows = residuals + tf.repeat(types, RESIDUAL_BUCKETS, axis=0)
    table = gaps[:, None] + rows[None]  # [14, rows, H, d]
    return tf.reshape(table, [gaps.shape[0] * rows.shape[0], *gaps.shape[1:]])
