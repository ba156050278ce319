"""The Deep Interest Network."""

import numpy as np
import tensorflow as tf

from features.schema import ExampleSchema, Modality
from models.inputs.batch import Batch, behaviors_of
from models.layers.activation_unit import ActivationUnit
from models.model_config import ModelConfig
from models.ranking_model import RankingModel


class DIN(RankingModel):
    """Behaviors weighted by DIN's activation unit, on ids, time gaps and behavior types.

    After Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018 (arXiv
    1706.06978).

    Args:
      config: hyper-parameters; those of similarity are not used.
      schema: what the records hold; its modalities are not used.
      vocabulary: `[N]` int64 item ids, ascending, or None to hash.
    """

    def __init__(
        self, config: ModelConfig, schema: ExampleSchema, vocabulary: np.ndarray | None
    ) -> None:
        super().__init__(config, schema, vocabulary)
        self.activation_unit = ActivationUnit(
            schema.behavior_types, schema.has_residuals, name="activation_unit"
        )

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """None: this model reads no content."""
        return ()

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, D]`."""
        return self.activation_unit(candidates, history, behaviors_of(batch))
