"""The Deep Interest Network."""

import tensorflow as tf

from features.schema import Modality
from models.inputs.batch import Batch, behaviors_of
from models.layers.attention.activation_unit import ActivationUnit
from models.ranking_model import RankingModel


class DIN(RankingModel):
    """Behaviors weighted by DIN's activation unit, on ids, time gaps and behavior types.

    After Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018 (arXiv
    1706.06978). Hyper-parameters of similarity and the schema's modalities are not used.
    """

    def create_layers(self) -> None:
        """Creates the activation unit."""
        self.activation_unit = ActivationUnit(
            self.schema.behavior_types, self.schema.has_residuals, name="activation_unit"
        )

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """None: this model reads no content."""
        return ()

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, D]`."""
        return self.activation_unit(candidates, history, behaviors_of(batch))
