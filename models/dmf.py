"""The Decoupled Multimodal Fusion model."""

import numpy as np
import tensorflow as tf

from features.schema import ExampleSchema
from models.dta import DTA
from models.inputs.batch import Batch, behaviors_of, codes_of
from models.layers import similarity_kernel
from models.layers.fusion import ComplementaryFusion
from models.model_config import ModelConfig


class DMF(DTA):
    """Decoupled target attention joined with similarity tiers.

    After "Decoupled Multimodal Fusion for User Interest Modeling in Click-Through Rate
    Prediction" (arXiv 2510.11066): the modality-enriched path is attention with similarity as
    side information, the modality-centric path a histogram of similarities; what the paper's
    abstract leaves open is this project's own (DESIGN sections 1 and 4). Beyond the paper, the
    head also sees how the behaviors most similar to the candidate were typed.

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
        self.tiers = self.similarity_tiers()
        self.fusion = ComplementaryFusion(config.fusion, name="fusion")

    def summaries(self, batch: Batch) -> list[tf.Tensor]:
        """Returns how similar behaviors were typed, `[R, C, *]`."""
        if not self.config.kernel_width:
            return []
        return [
            similarity_kernel.similar_behaviors(
                codes_of(batch, self.schema.modalities),
                behaviors_of(batch),
                self.schema.behavior_types,
                self.config.kernel_width,
            )
        ]

    def joined(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Fuses the attention's interest with the tiers, `[R, C, *]`."""
        return self.fusion(interest, self.tiers(codes_of(batch, self.schema.modalities)))
