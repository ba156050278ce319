"""The tasks of a ranking model: losses and metrics of logits."""

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

_RATES = 1 / (1 + np.exp(-np.linspace(-16, 8, 192)))
"""Thresholds of the conversions' AUC, evenly spaced as logits, because conversions are rare."""


def main_task() -> tfrs.tasks.Ranking:
    """Returns the task of the main label, whose loss is a sum over candidates."""
    return _task(num_thresholds=2000, prefix="")


def conversion_task() -> tfrs.tasks.Ranking:
    """Returns the task of pCTCVR, whose loss is a sum over all impressions."""
    return _task(thresholds=_RATES.tolist(), prefix="conversion_")


def summed_loss(
    task: tfrs.tasks.Ranking,
    labels: tf.Tensor,
    logits: tf.Tensor,
    mask: tf.Tensor,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns the summed loss of the candidates in the mask, and updates the task's metrics.

    Args:
      task: a task of this module.
      labels: `[R, C]` float32.
      logits: `[R, C]`.
      mask: `[R, C]` bool, False for padding.
      weights: `[R, C]` of the candidates, in the loss and in the metrics; None for 1 each.
    """
    labels, logits = (tf.boolean_mask(tensor, mask)[:, None] for tensor in (labels, logits))
    if weights is not None:
        weights = tf.boolean_mask(weights, mask)[:, None]
    return task(labels=labels, predictions=logits, sample_weight=weights)


def log_losses(
    labels: tf.Tensor, logits: tf.Tensor, mask: tf.Tensor, weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the weighted log loss of each candidate in the mask, `[N]`; see `summed_loss`."""
    labels, logits = (tf.boolean_mask(tensor, mask) for tensor in (labels, logits))
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
    return losses if weights is None else losses * tf.boolean_mask(weights, mask)


def _task(prefix: str, **thresholds: object) -> tfrs.tasks.Ranking:
    return tfrs.tasks.Ranking(
        loss=keras.losses.BinaryCrossentropy(
            from_logits=True, reduction=keras.losses.Reduction.SUM
        ),
        metrics=[
            keras.metrics.AUC(**thresholds, from_logits=True, name=f"{prefix}auc"),
            keras.metrics.BinaryCrossentropy(from_logits=True, name=f"{prefix}logloss"),
        ],
    )
