"""Decoupled target attention alone: DMF's modality-enriched path."""

import tensorflow as tf

from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of


class DTA(ContentModel):
    """Target attention with similarity as side information, without similarity tiers.

    After "Decoupled Multimodal Fusion for User Interest Modeling in Click-Through Rate
    Prediction" (arXiv 2510.11066). What DMF gains beyond DTA comes from its modality-centric path.
    """

    def create_layers(self) -> None:
        """Creates the attention with every modality's similarity."""
        self.attention = self.target_attention(self.schema.modality_names)

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest, `[R, C, H * d]`."""
        codes = self.similarity_codes(batch)
        return self.attention(candidates, history, codes, behaviors_of(batch))

    def interest_from_projections(
        self, query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, batch: Batch
    ) -> tf.Tensor:
        """Returns the interest from cached ID projections, `[R, C, *]`.

        Args:
          query: `[R, C, H, d]`.
          key: `[R, L, H, d]`.
          value: `[R, L, H, d]`.
          batch: parsed requests, without item ids.
        """
        attended = self.attended({**batch, "history_key": key, "history_value": value})
        interest = self.attention.attend(
            query,
            attended["history_key"],
            attended["history_value"],
            self.similarity_codes(attended),
            behaviors_of(attended),
        )
        return self.fuse(interest, batch)

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
