"""Counts and sums of events as standardized inputs of the head."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from features.schema import SideFeature

_RESIDUAL_STRENGTH = 5.0
"""The weight at which half of a user's mean residual counts."""


class RunningStatistics(keras.layers.Layer):
    """Computes log counts, smoothed means and shrunken residuals, and standardizes them.

    With count n, sum s of a statistic and its prior mean p, the smoothed mean is
    `(s + prior_strength p) / (n + prior_strength)`: an item without events gets p. A residual sum
    r of weight w becomes `r / (w + 5)`. Each output has mean 0 and standard deviation 1 over the
    sample given to `adapt`. Priors, means and scales are weights that no optimizer changes; they
    are saved and exported with the model. Before `adapt` they are 0, 0 and 1.

    Args:
      feature: of kind `running`; its width tells whether residuals follow the sums.
      prior_strength: number of events that the prior counts as; raise it for rare statistics.
    """

    def __init__(self, feature: SideFeature, prior_strength: float = 20.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if feature.kind != "running":
            raise ValueError(
                f"{feature.name!r} is {feature.kind}, expected a running feature, see "
                "features.records.running_statistics."
            )
        if prior_strength <= 0:
            raise ValueError(f"prior_strength must be > 0, received {prior_strength}.")
        self._statistics = len(feature.statistics)
        self._with_residuals = feature.width > 1 + self._statistics
        self._prior_strength = prior_strength
        outputs = 1 + self._statistics * (2 if self._with_residuals else 1)
        fixed = {"trainable": False, "dtype": tf.float32}
        self._prior = self.add_weight("prior", (self._statistics,), **fixed, initializer="zeros")
        self._mean = self.add_weight("mean", (outputs,), **fixed, initializer="zeros")
        self._scale = self.add_weight("scale", (outputs,), **fixed, initializer="ones")

    def call(self, values: tf.Tensor) -> tf.Tensor:
        """Returns `[..., 1 + S]` or with residuals `[..., 1 + 2 S]`, from `[..., K]` raw values."""
        return (self._features(values) - self._mean) / self._scale

    def adapt(self, values: np.ndarray) -> None:
        """Sets priors, means and scales.

        Args:
          values: `[N, K]` raw values, a sample of the model's input.

        Raises:
          ValueError: there is no row, or a value is not finite.
        """
        if not len(values) or not np.isfinite(values).all():
            raise ValueError(
                f"{self.name} adapts to finite raw counts and sums, received {len(values)} rows "
                f"of which {int((~np.isfinite(values)).any(axis=-1).sum())} are not finite."
            )
        values = np.asarray(values, np.float64)
        count, sums = values[:, :1], values[:, 1 : 1 + self._statistics]
        # Items with more events have more reliable means, but the weight of popular items is
        # bounded, so that they do not decide alone.
        weight = count / (count + self._prior_strength)
        means = sums / np.maximum(count, 1)
        self._prior.assign((weight * means).sum(0) / max(weight.sum(), 1e-9))
        features = self._features(tf.constant(values, tf.float32)).numpy().astype(np.float64)
        deviation = features.std(0)
        self._mean.assign(features.mean(0))
        self._scale.assign(np.where(deviation > 1e-6, deviation, 1.0))

    def _features(self, values: tf.Tensor) -> tf.Tensor:
        """Returns the outputs before they are standardized."""
        end = 1 + self._statistics
        count, sums = tf.maximum(values[..., :1], 0.0), values[..., 1:end]
        smoothed = (sums + self._prior_strength * self._prior) / (count + self._prior_strength)
        outputs = [tf.math.log1p(count), smoothed]
        if self._with_residuals:
            weight, residuals = tf.maximum(values[..., end : end + 1], 0.0), values[..., end + 1 :]
            outputs.append(residuals / (weight + _RESIDUAL_STRENGTH))
        return tf.concat(outputs, axis=-1)
