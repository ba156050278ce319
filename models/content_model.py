"""What models with content share: modalities, and the candidates' own vectors in the head."""

import numpy as np
import tensorflow as tf

from features.errors import UserInputError
from features.schema import ExampleSchema, candidate_embedding_feature
from models.inputs.batch import Batch
from models.layers.content_projection import ContentProjection
from models.layers.similarity_tiers import SimilarityTiers
from models.model_config import ModelConfig
from models.ranking_model import RankingModel


class ContentModel(RankingModel):
    """A ranking model whose head also sees a projection of the candidate's own embedding.

    Every model with content has it, so that they differ only in how content meets the history.

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
        if not schema.modalities:
            raise UserInputError(
                f"The records have no modality, which model.name={config.name} needs. Join with "
                "--embeddings modality=DIR, or train model.name=id_only."
            )
        projected = [m for m in schema.modalities if m.candidate_embedding]
        self.projected_modalities = tuple(projected) if config.projection_width else ()
        if self.projected_modalities:
            self.content_projection = ContentProjection(
                self.projected_modalities, config.projection_width, name="content_projection"
            )

    def candidate_content(self, batch: Batch) -> list[tf.Tensor]:
        """Returns the projection of the candidates' embeddings, `[R, C, P * modalities]`."""
        if not self.projected_modalities:
            return []
        return [
            self.content_projection(
                {
                    m.name: batch[candidate_embedding_feature(m.name)]
                    for m in self.projected_modalities
                }
            )
        ]

    def similarity_tiers(self) -> SimilarityTiers:
        """Returns new similarity tiers of all modalities."""
        edges = dict.fromkeys(self.schema.modality_names, self.config.tier_edges)
        return SimilarityTiers(edges, self.config.tier_width, name="tiers")
