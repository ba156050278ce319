"""The baseline that fuses similarity before the projection."""

import numpy as np
import tensorflow as tf

from features.schema import ExampleSchema
from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of, codes_of
from models.layers.early_fusion_attention import EarlyFusionAttention
from models.model_config import ModelConfig


class EarlyFusion(ContentModel):
    """Target attention over behaviors concatenated with their similarity's embedding.

    Args:
      config: hyper-parameters.
      schema: what the records hold; every modality of it is used.
      vocabulary: `[N]` int64 item ids, ascending, or None to hash.

    Raises:
      UserInputError: the schema has no modality.
    """

    def __init__(
        self, config: ModelConfig, schema: ExampleSchema, vocabulary: np.ndarray | None
    ) -> None:
        super().__init__(config, schema, vocabulary)
        self.attention = EarlyFusionAttention(
            dict.fromkeys(schema.modality_names, config.attention_edges),
            config.heads,
            config.head_width,
            schema.behavior_types,
            residuals=schema.has_residuals,
            name="attention",
        )

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, H * d]`."""
        codes = codes_of(batch, self.schema.modalities)
        return self.attention(candidates, history, codes, behaviors_of(batch))
