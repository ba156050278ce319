"""SA-TA and SA-TA with tiers: the attention of MUSE."""

import numpy as np
import tensorflow as tf

from features.schema import ExampleSchema
from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of, codes_of
from models.layers.semantic_attention import SemanticTargetAttention
from models.model_config import ModelConfig


class SATA(ContentModel):
    """Semantic-aware target attention (MUSE, arXiv 2512.07216), without tiers.

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
        self.attention = SemanticTargetAttention(
            schema.modality_names,
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


class SATATiers(SATA):
    """MUSE's ranking model: semantic-aware target attention beside similarity tiers."""

    def __init__(
        self, config: ModelConfig, schema: ExampleSchema, vocabulary: np.ndarray | None
    ) -> None:
        super().__init__(config, schema, vocabulary)
        self.tiers = self.similarity_tiers()

    def joined(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns interest and towers side by side, `[R, C, H * d + T]`."""
        return tf.concat([interest, self.tiers(codes_of(batch, self.schema.modalities))], axis=-1)
