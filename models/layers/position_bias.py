"""The effect of the position at which a candidate was shown, for training alone."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from scipy import special

from features.schema import CANDIDATE_MASK, CANDIDATE_POSITION

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
      label: whose log odds the table starts with.
    """

    def __init__(self, positions: int, label: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if positions < 2:
            raise ValueError(f"positions must be at least 2, received {positions}.")
        self._positions, self._label = positions, label

    def build(self, positions_shape: tf.TensorShape) -> None:
        """Creates the table, without an effect."""
        self._table = self.add_weight("table", (self._positions,), initializer="zeros")
        super().build(positions_shape)

    @property
    def wants_sample(self) -> bool:
        """Whether `adapt` needs a sample: always."""
        return True

    def adapt(self, batches: Iterable[Mapping[str, tf.Tensor]]) -> None:
        """Starts with each position's log odds, from which training takes off what items explain.

        Args:
          batches: a sample of parsed requests of the train split; padding is left out.
        """
        shown, positives = (np.zeros(self._positions) for _ in range(2))
        for batch in batches:
            real = batch[CANDIDATE_MASK]
            rows = self._rows(batch[CANDIDATE_POSITION][real]).numpy()
            shown += np.bincount(rows, minlength=self._positions)
            positives += np.bincount(rows, batch[self._label][real], self._positions)
        mean = np.clip(positives.sum() / max(shown.sum(), 1), 1e-6, 1 - 1e-6)
        rate = (positives + _PRIOR * mean) / (shown + _PRIOR)
        self._table.assign((special.logit(rate) - special.logit(mean)) / _SCALE)

    def call(self, positions: tf.Tensor) -> tf.Tensor:
        """Returns what is added to logits of candidates at positions from 0, float32 `[R, C]`."""
        return _SCALE * tf.gather(self._table, self._rows(positions))

    def _rows(self, positions: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(tf.cast(positions, tf.int32), 0, self._positions - 1)
