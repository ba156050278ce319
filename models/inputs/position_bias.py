"""The effect of the position at which a candidate was shown, for training alone."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from scipy import special

_SCALE = 10.0
"""Adam moves a weight by its learning rate per step, however large the effect is: in the logit's
own unit, an effect of 1 would take a thousand steps."""

_PRIOR = 100.0
"""Candidates at the sample's mean rate that are added to each position."""


class PositionBias(keras.layers.Layer):
    """Adds a number per position to the logit: clicks follow preference and attention.

    An additive tower of the position (Zhao et al., "Recommending What Video to Watch Next: A
    Multitask Ranking System", RecSys 2019; Guo et al., "PAL: A Position-bias Aware Learning
    Framework for CTR Prediction in Live Recommender Systems", RecSys 2019), of one table. What is
    left of the logit is the preference. Its constant is the head's bias.

    Args:
      positions: rows; the last one is of all positions from `positions - 1` on.
    """

    def __init__(self, positions: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if positions < 2:
            raise ValueError(f"positions must be at least 2, received {positions}.")
        self._positions = positions

    def build(self, positions_shape: tf.TensorShape) -> None:
        """Creates the table, without an effect."""
        self._table = self.add_weight("table", (self._positions,), initializer="zeros")
        super().build(positions_shape)

    def adapt(self, positions: np.ndarray, labels: np.ndarray) -> None:
        """Starts with each position's log odds, from which training takes off what items explain.

        Args:
          positions: `[N]`, from 0, of a sample of the train split.
          labels: `[N]` 0 or 1.
        """
        mean = np.clip(labels.mean(), 1e-6, 1 - 1e-6)
        rows = np.minimum(positions.astype(np.int64), self._positions - 1)
        shown = np.bincount(rows, minlength=self._positions) + _PRIOR
        rate = (np.bincount(rows, labels, self._positions) + _PRIOR * mean) / shown
        self._table.assign((special.logit(rate) - special.logit(mean)) / _SCALE)

    def call(self, positions: tf.Tensor) -> tf.Tensor:
        """Returns what is added to logits of candidates at positions from 0, float32 `[R, C]`."""
        rows = tf.clip_by_value(tf.cast(positions, tf.int32), 0, self._positions - 1)
        return _SCALE * tf.gather(self._table, rows)
