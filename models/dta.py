"""Decoupled target attention alone: DMF's modality-enriched path."""

from typing import ClassVar

import tensorflow as tf

from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of
from models.ranking_model import VectorUse


class DTA(ContentModel):
    """Target attention with similarity as side information, without similarity tiers.

    After "Decoupled Multimodal Fusion for User Interest Modeling in Click-Through Rate
    Prediction" (arXiv 2510.11066). What DMF gains beyond DTA comes from its modality-centric path.

    Given vectors, the attention also reads a projection of each item's own content beside its ID.
    Both are linear in what is cached: a key is the sum of a part of the ID and a part of the
    content, so each part keeps its own cache.
    """

    reads_vectors: ClassVar[VectorUse] = "if_given"

    def create_layers(self) -> None:
        """Creates the attention with every modality's similarity."""
        self.attention = self.target_attention(self.schema.modality_names)

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest, `[R, C, H * d]`."""
        inputs = self.attention_inputs(candidates, history, batch)
        return self.attention(*inputs, self.similarity_codes(batch), behaviors_of(batch))

    def attention_inputs(
        self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the embeddings with the projected vectors, `[R, C, *]` and `[R, L, *]`."""
        return self.with_content(candidates, history, batch)

    def interest_from_projections(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        value: tf.Tensor,
        content: tuple[tf.Tensor, tf.Tensor] | None,
        batch: Batch,
    ) -> tf.Tensor:
        """Returns the interest from cached projections, `[R, C, *]`.

        Args:
          query: `[R, C, H, d]`, of ids.
          key: `[R, L, H, d]`, of ids.
          value: `[R, L, H, d]`, of ids.
          content: what `content_embedding.project` gives of candidates `[R, C, P]` and behaviors
            `[R, L, P]`; None in a model without vectors.
          batch: parsed requests, without item ids.
        """
        history = {"history_key": key, "history_value": value}
        if content is not None:
            history["history_content"] = content[1]
        attended = self.attended({**batch, **history})
        key, value = attended["history_key"], attended["history_value"]
        if content is not None:
            query += self.attention.project_query(content[0], rest=True)
            further = self.attention.project_history(attended["history_content"], rest=True)
            key, value = key + further[0], value + further[1]
        codes, behaviors = self.similarity_codes(attended), behaviors_of(attended)
        return self.fuse(self.attention.attend(query, key, value, codes, behaviors), batch)

    def bucket_effect(self) -> dict[str, dict[str, list]]:
        """Returns the attention's bias by bucket of similarity, by modality."""
        effect = {}
        for name in self.similarity_names:
            bias = self.attention.bucket_bias(name).numpy()
            effect[name] = {
                "edges": list(self.config.attention_edges),
                "bias": bias.mean(axis=0).tolist(),
                "bias_by_type": bias.tolist(),
            }
        return effect
