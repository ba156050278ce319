"""The base of every model that reads content: frozen vectors, the head's projection, tiers."""

from collections.abc import Mapping

import tensorflow as tf

from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.schema import BEHAVIORS, ITEM_AXES, ItemAxis, candidate_embedding_feature
from models.inputs.batch import Batch
from models.layers.content_embedding import ContentEmbedding
from models.layers.content_projection import ContentProjection
from models.layers.similarity_tiers import SimilarityTiers
from models.ranking_model import RankingModel


class ContentModel(RankingModel):
    """A ranking model whose head also sees a projection of the candidate's own embedding.

    Every model with content has this projection, so that the models differ only in how content
    meets the history. Arguments are those of `RankingModel`; every modality of the schema is used.

    Raises:
      UserInputError: the schema has no modality.
    """

    def create_content_layers(self, embeddings: Mapping[str, EmbeddingSet] | None) -> None:
        """Creates the head's projection, and the frozen vectors where the model has any."""
        config, schema = self.config, self.schema
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
        if embeddings:
            self.content_embedding = ContentEmbedding(
                embeddings, config.content_width, name="content_embedding"
            )

    def candidate_content(self, batch: Batch) -> list[tf.Tensor]:
        """Returns the projection of the candidates' embeddings, `[R, C, P * modalities]`."""
        if not self.projected_modalities:
            return []
        names = [modality.name for modality in self.projected_modalities]
        quantized = {name: batch[candidate_embedding_feature(name)] for name in names}
        return [self.content_projection(quantized)]

    def with_content(
        self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Puts projected vectors beside item embeddings, if the model has any.

        Args:
          candidates: `[R, C, D]` item embeddings.
          history: `[R, L, D]` item embeddings.
          batch: parsed requests, with the behaviors that are attended.

        Returns:
          `[R, C, D + P]` and `[R, L, D + P]`, with P = `content_width` for each modality.
        """
        if self.content_embedding is None:
            return candidates, history
        of_candidates, of_behaviors = (self._content_of(axis, batch) for axis in ITEM_AXES)
        return (
            tf.concat([candidates, of_candidates], axis=-1),
            tf.concat([history, of_behaviors], axis=-1),
        )

    def _content_of(self, axis: ItemAxis, batch: Batch) -> tf.Tensor:
        """Returns the projected vectors of candidates or behaviors, `[R, C or L, P]`.

        Requests bring the vectors of both. Records lack those of behaviors, so both are looked up.
        """
        names = [one.name for one in self.modalities]
        if BEHAVIORS.embedding(names[0]) not in batch:
            return self.content_embedding(batch[axis.item_id])
        return self.content_embedding.project({name: batch[axis.embedding(name)] for name in names})

    def similarity_tiers(self) -> SimilarityTiers:
        """Returns a new layer of similarity tiers over all modalities."""
        edges = dict.fromkeys(self.schema.modality_names, self.config.tier_edges)
        return SimilarityTiers(edges, self.config.tier_width, name="tiers")
