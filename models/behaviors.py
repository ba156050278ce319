"""What is known of a request's behaviors besides their items."""

from typing import NamedTuple

import tensorflow as tf

TIME_GAP_EDGES = tuple(4.0**exponent for exponent in range(1, 14))
"""Inner edges of the time-gap buckets in seconds: 4 s, 16 s, 64 s, ... 2.1 years."""


class Behaviors(NamedTuple):
    """Mask, time gap and type of each behavior.

    Attributes:
      mask: `[R, L]` bool, False for padding.
      time_gap: `[R, L]` int64, seconds before the request.
      type: `[R, L]` int64 in `[0, behavior_types)`.
    """

    mask: tf.Tensor
    time_gap: tf.Tensor
    type: tf.Tensor

    def gap_bucket(self) -> tf.Tensor:
        """Returns the bucket of each time gap, `[R, L]` int32."""
        return tf.raw_ops.Bucketize(input=self.time_gap, boundaries=list(TIME_GAP_EDGES))
