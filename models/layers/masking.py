"""Masks in attention: padding gets no weight, and an empty history gives zeros."""

import tensorflow as tf

_MASKED = -1e9


def masked_softmax(scores: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Normalizes scores over the behaviors that are not padding.

    A row without any behavior comes out uniform, as a softmax of equal numbers does. `zero_empty`
    corrects that in the pooled values, which are L times smaller than the weights.

    Args:
      scores: `[R, C, H, L]` float.
      mask: `[R, L]` bool.

    Returns:
      `[R, C, H, L]`.
    """
    return tf.nn.softmax(scores + offsets(mask, scores.dtype)[:, None, None, :])


def offsets(mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Returns offsets that exclude padding from a softmax when added to scores, `[R, L]`."""
    return tf.where(mask, tf.zeros([], dtype), _MASKED)


def zero_empty(interest: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Sets the interest of requests without any behavior to zero.

    Args:
      interest: `[R, C, H, d]` float.
      mask: `[R, L]` bool.

    Returns:
      `[R, C, H, d]`.
    """
    known = tf.reduce_any(mask, axis=1)[:, None, None, None]
    return tf.where(known, interest, tf.zeros([], interest.dtype))
