"""SimTier: target attention on ids, and how similar the history is as a histogram."""

import numpy as np
import tensorflow as tf

from features.schema import ExampleSchema
from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of, codes_of
from models.model_config import ModelConfig


class SimTier(ContentModel):
    """ID target attention beside similarity tiers, each by itself.

    After Sheng et al., "Enhancing Taobao Display Advertising with Multimodal Representations:
    Challenges, Approaches and Insights", CIKM 2024 (arXiv 2407.19467).

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
        self.attention = self.target_attention()
        self.tiers = self.similarity_tiers()

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, H * d]`."""
        return self.attention(candidates, history, {}, behaviors_of(batch))

    def joined(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns interest and towers side by side, `[R, C, H * d + T]`."""
        tiers = self.tiers(codes_of(batch, self.schema.modalities))
        return tf.concat([interest, tiers], axis=-1)
