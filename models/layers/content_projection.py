"""The head's projection of a candidate's own multimodal embedding."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from features.schema import Modality


class ContentProjection(keras.layers.Layer):
    """One dense layer per modality over the quantized embedding, scaled to unit length.

    Args:
      modalities: the modalities whose embeddings are projected.
      width: output width P of each projection.
    """

    def __init__(self, modalities: Sequence[Modality], width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if width < 1:
            raise ValueError(f"width must be at least 1, received {width}.")
        self._projections = {
            modality.name: keras.layers.Dense(
                width, use_bias=False, name=f"projection_{modality.name}"
            )
            for modality in modalities
        }

    def call(self, quantized: dict[str, tf.Tensor]) -> tf.Tensor:
        """Projects `[..., M]` int8 by modality to `[..., P * modalities]`.

        An item without an embedding has a zero vector and gets a zero projection.
        """
        return tf.concat(
            [
                projection(tf.math.l2_normalize(tf.cast(quantized[name], tf.float32), axis=-1))
                for name, projection in self._projections.items()
            ],
            axis=-1,
        )
