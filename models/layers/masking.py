"""Padding in attention: no weight on it, and nothing at all from an empty history."""

import tensorflow as tf

_MASKED = -1e9


def masked_softmax(scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Normalizes scores over the behaviors that are not padding.

    A row without any behavior comes out uniform, as softmax has it; `zero_empty` removes what
    follows from it, on a tensor L times smaller than the weights.

    Args:
      scores: `[R, C, H, L]` float.
      mask: `[R, L]` bool.

    Returns:
      `[R, C, H, L]`.
    """
    return tf.nn.softmax(scores + offsets(mask, scores.dtype)[:, None, None, :])


def offsets(mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns what keeps padding out of a softmax when added to scores, `[R, L]`."""
    return tf.where(mask, tf.zeros([], dtype), _MASKED)


def zero_empty(interest: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Zeroes the interest of requests without any behavior.

    Args:
      interest: `[R, C, H, d]` float.
      mask: `[R, L]` bool.

    Returns:
      `[R, C, H, d]`.
    """
    known = tf.reduce_any(mask, axis=1)[:, None, None, None]
    return tf.where(known, interest, tf.zeros([], interest.dtype))
