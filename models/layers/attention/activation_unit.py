"""The local activation unit of the Deep Interest Network."""

from typing import Any

import tensorflow as tf
import tf_keras as keras

from models.inputs.behaviors import RESIDUAL_BUCKETS, TIME_GAP_EDGES, Behaviors


class ActivationUnit(keras.layers.Layer):
    """Sums behaviors weighted by a small network over candidate, behavior and their product.

    After Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018 (arXiv
    1706.06978): the weights are not normalized, so the sum keeps the intensity of interest. With
    candidate c and behavior `b = e + G[gap] + Y[type] + Z[type, residual]`:

        w = v . prelu(W_1 c + W_2 b + W_3 (c * b) + bias) + bias',    u = sum of w b

    The paper's difference `c - b` is linear in both, so `W_1` and `W_2` cover it. The product
    dominates the cost: its shape is `[R, C, L, D]`.

    Args:
      behavior_types: number of values that `Behaviors.type` takes.
      residuals: whether behaviors have residuals.
      width: the hidden layer's.
    """

    def __init__(
        self, behavior_types: int = 1, residuals: bool = False, width: int = 36, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._behavior_types = behavior_types
        self._residuals = residuals
        self._of_candidate = keras.layers.Dense(width, use_bias=False, name="of_candidate")
        self._of_behavior = keras.layers.Dense(width, name="of_behavior")
        self._of_product = keras.layers.Dense(width, use_bias=False, name="of_product")
        self._activation = keras.layers.PReLU(shared_axes=[1, 2, 3], name="activation")
        self._weight = keras.layers.Dense(1, name="weight")

    def build(self, candidates_shape: tf.TensorShape) -> None:
        """Creates the tables of time gaps and types."""
        self._gaps = self._table("gaps", len(TIME_GAP_EDGES) + 1, candidates_shape[-1])
        self._types = self._table("types", self._behavior_types, candidates_shape[-1])
        if self._residuals:
            rows = self._behavior_types * RESIDUAL_BUCKETS
            self._residual_table = self._table("residuals", rows, candidates_shape[-1])
        super().build(candidates_shape)

    def call(self, candidates: tf.Tensor, history: tf.Tensor, behaviors: Behaviors) -> tf.Tensor:
        """Returns each candidate's interest vector, zero for an empty history.

        Args:
          candidates: `[R, C, D]`.
          history: `[R, L, D]`.
          behaviors: mask, time gap and type.

        Returns:
          `[R, C, D]`.
        """
        behavior = history + tf.gather(self._gaps, behaviors.gap_bucket())
        behavior += tf.gather(self._types, behaviors.type)
        if self._residuals:
            behavior += tf.gather(self._residual_table, behaviors.residual_bucket())
        product = candidates[:, :, None] * behavior[:, None]  # [R, C, L, D]
        hidden = self._of_candidate(candidates)[:, :, None] + self._of_behavior(behavior)[:, None]
        hidden += self._of_product(product)  # [R, C, L, width]
        weight = self._weight(self._activation(hidden))[..., 0]  # [R, C, L]
        weight = tf.where(behaviors.mask[:, None], weight, 0.0)
        return tf.matmul(weight, behavior)  # [R, C, D]

    def _table(self, name: str, rows: int, width: int) -> tf.Variable:
        normal = keras.initializers.RandomNormal(stddev=0.05)
        return self.add_weight(name, (rows, width), initializer=normal)
