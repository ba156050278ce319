"""The baseline without content: target attention on ids."""

import numpy as np
import tensorflow as tf

from features.schema import ExampleSchema, Modality
from models.inputs.batch import Batch, behaviors_of
from models.model_config import ModelConfig
from models.ranking_model import RankingModel


class IdOnly(RankingModel):
    """Target attention with time gaps and behavior types, but no similarity.

    Args:
      config: hyper-parameters; those of similarity are not used.
      schema: what the records hold; its modalities are not used.
      vocabulary: `[N]` int64 item ids, ascending, or None to hash.
    """

    def __init__(
        self, config: ModelConfig, schema: ExampleSchema, vocabulary: np.ndarray | None
    ) -> None:
        super().__init__(config, schema, vocabulary)
        self.attention = self.target_attention()

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """None: this model reads no content."""
        return ()

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, H * d]`."""
        return self.attention(candidates, history, {}, behaviors_of(batch))
