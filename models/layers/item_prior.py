"""What an item's own rate of positives in the train split adds to the logit."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from scipy import special

from features import in_graph

GROUPS = 8
"""Groups of users; in training a user's candidates see the rates among the other groups' users."""

_SCALE = 5.0
"""Adam moves a weight by its learning rate per step; in units of 5 the factor moves 5 times as far.
"""

_MOST_OF_ONE_GROUP = 0.5
"""Largest share of the candidates in one group, beyond which the others say too little."""

_ROWS_AT_ONCE = 1 << 18


class ItemPrior(keras.layers.Layer):
    """Adds the log odds of an item's rate, relative to those of all items, times a learned factor.

    An embedding row learns a rate in many small steps, each disturbed by drop-out and penalties.
    A count has it at once, and is shrunken towards the rate of all items where it is small: with n
    candidates of an item, p of them positive, m the rate of all items and k the strength,

        logit((p + k m) / (n + k)) - logit(m)

    A candidate of the train split is in its own count, which would give its label away. So counts
    are fitted across groups of users (cross-fitting, as in ordered target statistics: Prokhorenkova
    et al., "CatBoost", NeurIPS 2018): in training a user sees the counts without those of the
    user's own group. Evaluation and serving see all.

    Shapes: R requests, C candidates, G groups.

    Args:
      rows: of the item embedding table.
      unknown_rows: how many of them, the first ones, are of unknown items, whose log odds are 0.
      strength: k, candidates at the rate of all items that are added to each item's.
    """

    def __init__(self, rows: int, unknown_rows: int, strength: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if strength <= 0:
            raise ValueError(f"strength must be above 0, received {strength}.")
        self._rows, self._unknown_rows, self._strength = rows, unknown_rows, strength

    def build(self, rows_shape: Any) -> None:
        """Creates the tables, without an effect, and the factor, which starts at 1."""
        constant = {"initializer": "zeros", "trainable": False}
        # Two dimensions each, which variables on parameter servers need.
        self._log_odds = self.add_weight("log_odds", (self._rows, 1), **constant)
        self._of_others = self.add_weight("of_others", (self._rows, GROUPS), **constant)
        start = keras.initializers.Constant(1 / _SCALE)
        self._factor = self.add_weight("factor", (), initializer=start)
        super().build(rows_shape)

    @property
    def tables(self) -> list[tf.Variable]:
        """The tables with a row per item."""
        return [self._log_odds, self._of_others]

    def call(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns what is added to the logits of candidates, float32 of the shape of `rows`.

        Args:
          rows: int64 rows of the item embedding table, such as `[R, C]`.
        """
        return _SCALE * self._factor * tf.nn.embedding_lookup(self._log_odds, rows)[..., 0]

    def in_training(self, rows: tf.Tensor, user_id: tf.Tensor) -> tf.Tensor:
        """Returns what is added to the logits of the train split's candidates, `[R, C]` float32.

        Args:
          rows: `[R, C]` int64 rows of the item embedding table.
          user_id: `[R]` int64.
        """
        own = tf.one_hot(group(user_id), GROUPS)[:, None]
        of_others = tf.reduce_sum(own * tf.nn.embedding_lookup(self._of_others, rows), axis=-1)
        return _SCALE * self._factor * of_others

    def fit(self, positives: np.ndarray, shown: np.ndarray) -> bool:
        """Sets the log odds from counts of the train split.

        Where the layer has log odds already, those of an earlier model, each item's counts are
        shrunken towards its earlier rate and not towards that of all items. So what is not shown
        again keeps its rate, and what is shown often forgets it.

        Args:
          positives: `[rows, G]`, the positive candidates by row and the user's group.
          shown: `[rows, G]`, all candidates; both may be weighted.

        Returns:
          Whether the layer has an effect. It has none where more than half of the candidates are
          of one group, as in a log of a single user: the others' rates would say too little.
        """
        total = float(shown.sum())
        largest = float(shown.sum(axis=0).max())
        # The tensor and not the variable, whose rows may be on several parameter servers.
        earlier = tf.convert_to_tensor(self._log_odds).numpy()
        log_odds, of_others = np.zeros_like(earlier), np.zeros((self._rows, GROUPS), np.float32)
        has_effect = total > 0 and largest <= _MOST_OF_ONE_GROUP * total
        if has_effect:
            center = special.logit(np.clip(float(positives.sum()) / total, 1e-6, 1 - 1e-6))
            # In blocks, so that no second copy of a large table is in memory.
            for start in range(self._unknown_rows, self._rows, _ROWS_AT_ONCE):
                block = slice(start, start + _ROWS_AT_ONCE)
                mean = special.expit(center + earlier[block].astype(np.float64))
                hits, candidates = positives[block], shown[block]
                every = hits.sum(axis=1, keepdims=True), candidates.sum(axis=1, keepdims=True)
                log_odds[block] = self._relative(every[0], every[1], mean, center)
                others = every[0] - hits, every[1] - candidates
                of_others[block] = self._relative(others[0], others[1], mean, center)
        self._log_odds.assign(log_odds)
        self._of_others.assign(of_others)
        return has_effect

    def adopt(self, earlier: "ItemPrior", sources: np.ndarray) -> None:
        """Takes over an earlier layer's log odds, not its factor, which is a weight like others.

        Args:
          earlier: a built layer.
          sources: `[rows - unknown_rows]`, the earlier row of each row of a known item.
        """
        known = tf.gather(tf.convert_to_tensor(earlier._log_odds), sources)
        unknown = tf.zeros((self._unknown_rows, 1))
        self._log_odds.assign(tf.concat([unknown, known], axis=0))

    def scale(self, factor: float) -> None:
        """Multiplies the factor."""
        self._factor.assign(factor * self._factor)

    def disable(self) -> None:
        """Sets the factor to 0, from which training moves it where the rates are worth it."""
        self._factor.assign(0.0)

    def _relative(
        self, positives: np.ndarray, shown: np.ndarray, mean: np.ndarray, center: float
    ) -> np.ndarray:
        """Returns the log odds of shrunken rates, relative to the center; all but it `[N, *]`."""
        rate = (positives + self._strength * mean) / (shown + self._strength)
        return special.logit(rate) - center


def group(user_id: tf.Tensor) -> tf.Tensor:
    """Returns the group of each user, int64 of the same shape, in `[0, GROUPS)`."""
    return in_graph.bucket(user_id, GROUPS)
