"""The head: from all features of a candidate to its logit."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras


class RankingHead(keras.layers.Layer):
    """DCN-v2 cross layers, then an MLP, then one logit.

    After Wang et al., "DCN V2: Improved Deep & Cross Network", WWW 2021, in its stacked form.

    Args:
      hidden: widths of the MLP.
      cross_layers: number of cross layers, 0 for none.
      cross_projection: rank of the cross layers' kernels, None for full rank.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (256, 128),
        cross_layers: int = 1,
        cross_projection: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not hidden or min(hidden) < 1:
            raise ValueError(f"hidden must hold positive widths, received {tuple(hidden)}.")
        self._crosses = [
            tfrs.layers.dcn.Cross(projection_dim=cross_projection, name=f"cross_{layer}")
            for layer in range(cross_layers)
        ]
        self._mlp = [
            keras.layers.Dense(width, activation="relu", name=f"hidden_{layer}")
            for layer, width in enumerate(hidden)
        ]
        self._logit = keras.layers.Dense(1, name="logit")

    def shift(self, amount: float) -> None:
        """Adds the same amount to every logit, by the last layer's bias."""
        self._logit.bias.assign_add([amount])

    def scale(self, factor: float) -> None:
        """Multiplies every logit, by the last layer's weights and bias."""
        for variable in self._logit.weights:
            variable.assign(factor * variable)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns logits `[R, C]` from tensors `[R, C, *]`."""
        # Not flattened to one row per candidate: for matrices TensorFlow fuses product, bias and
        # ReLU, and oneDNN's fused ReLU turns NaN into 0, which hides it from checks
        # (docs/design.md, "A head that is not flattened").
        first = tf.concat(inputs, axis=-1)
        crossed = first
        for cross in self._crosses:
            crossed = cross(first, crossed)
        hidden = crossed
        for layer in self._mlp:
            hidden = layer(hidden)
        return tf.squeeze(self._logit(hidden), axis=-1)
