"""Complementary modality modeling: fusion of the modality-enriched and -centric paths."""

from typing import Any, Literal

import tensorflow as tf
import tf_keras as keras


class ComplementaryFusion(keras.layers.Layer):
    """Fuses the attention's interest vector with the similarity tiers.

    Args:
      mode: `concat` puts them side by side (docs/design.md, "Fusion by concatenation"); `gate`
        mixes them by one sigmoid gate per coordinate; `scalar` mixes them by one learned weight.
    """

    def __init__(self, mode: Literal["concat", "gate", "scalar"] = "concat", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in ("concat", "gate", "scalar"):
            raise ValueError(f"mode must be concat, gate or scalar, received {mode!r}.")
        self._mode = mode

    def build(self, enriched_shape: tf.TensorShape) -> None:
        """Creates the weights of the mode."""
        width = enriched_shape[-1]
        if self._mode != "concat":
            self._align = keras.layers.Dense(width, name="align")
        if self._mode == "gate":
            self._gate = keras.layers.Dense(width, activation="sigmoid", name="gate")
        if self._mode == "scalar":
            self._mix = self.add_weight("mix", (), initializer="zeros")
        super().build(enriched_shape)

    def call(self, enriched: tf.Tensor, centric: tf.Tensor) -> tf.Tensor:
        """Fuses the two paths.

        Args:
          enriched: `[R, C, E]`, the interest vector.
          centric: `[R, C, T]`, the similarity tiers.

        Returns:
          `[R, C, E + T]` for `concat`, else `[R, C, E]`.
        """
        if self._mode == "concat":
            return tf.concat([enriched, centric], axis=-1)
        aligned = self._align(centric)
        if self._mode == "gate":
            share = self._gate(tf.concat([enriched, centric], axis=-1))
        else:
            share = tf.sigmoid(self._mix)
        return share * enriched + (1 - share) * aligned
