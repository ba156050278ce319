"""The Decoupled Multimodal Fusion model."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from features.errors import UserInputError
from features.schema import ExampleSchema
from models.behaviors import Behaviors
from models.content_projection import ContentProjection
from models.decoupled_attention import DecoupledTargetAttention
from models.fusion import ComplementaryFusion
from models.model_config import ModelConfig
from models.ranking_model import Batch, RankingModel, behaviors_of, codes_of
from models.similarity_tiers import SimilarityTiers


class DMF(RankingModel):
    """Decoupled target attention joined with similarity tiers.

    After "Decoupled Multimodal Fusion for User Interest Modeling in Click-Through Rate
    Prediction" (arXiv 2510.11066): the modality-enriched path is attention with similarity as
    side information, the modality-centric path a histogram of similarities; what the paper's
    abstract leaves open is this project's own (DESIGN sections 1 and 4).

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
                "The records have no modality, so there is nothing to fuse. Join with "
                "--embeddings modality=DIR, or train model.name=id_only."
            )
        names = schema.modality_names
        self.attention = DecoupledTargetAttention(
            dict.fromkeys(names, config.attention_edges),
            config.heads,
            config.head_width,
            schema.behavior_types,
            name="attention",
        )
        self.tiers = SimilarityTiers(
            dict.fromkeys(names, config.tier_edges), config.tier_width, name="tiers"
        )
        self.fusion = ComplementaryFusion(config.fusion, name="fusion")
        projected = [m for m in schema.modalities if m.candidate_embedding]
        self.projected_modalities = tuple(projected) if config.projection_width else ()
        if self.projected_modalities:
            self.content_projection = ContentProjection(
                self.projected_modalities, config.projection_width, name="content_projection"
            )

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the fused interest, `[R, C, *]`."""
        codes = codes_of(batch, self.schema.modalities)
        enriched = self.attention(candidates, history, codes, behaviors_of(batch))
        return self.fusion(enriched, self.tiers(codes))

    def interest_from_projections(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        value: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Returns the fused interest from cached ID projections, `[R, C, *]`.

        Args:
          query: `[R, C, H, d]`.
          key: `[R, L, H, d]`.
          value: `[R, L, H, d]`.
          codes: `[R, C, L]` uint8 by modality.
          behaviors: mask, time gap and type.
        """
        enriched = self.attention.attend(query, key, value, codes, behaviors)
        return self.fusion(enriched, self.tiers(codes))

    def candidate_content(self, batch: Batch) -> list[tf.Tensor]:
        """Returns the projection of the candidates' embeddings, `[R, C, P * modalities]`."""
        if not self.projected_modalities:
            return []
        return [
            self.content_projection(
                {m.name: batch[f"candidate_embedding_{m.name}"] for m in self.projected_modalities}
            )
        ]

    def bucket_variables(self) -> list[tf.Variable]:
        """Returns the attention's bucket tables and biases."""
        return self.attention.bucket_variables()

    def bucket_effect(self) -> dict[str, dict[str, list]]:
        """Returns the attention's bias by bucket of similarity, by modality."""
        effect = {}
        for name in self.schema.modality_names:
            bias = self.attention.bucket_bias(name).numpy()
            effect[name] = {
                "edges": list(self.config.attention_edges),
                "bias": bias.mean(axis=0).tolist(),
                "bias_by_type": bias.tolist(),
            }
        return effect
