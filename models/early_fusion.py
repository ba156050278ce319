"""The baseline that fuses similarity before the projection."""

import tensorflow as tf

from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of
from models.layers.attention.early_fusion_attention import EarlyFusionAttention


class EarlyFusion(ContentModel):
    """Target attention over behaviors concatenated with the embedding of their similarity.

    Keys and values depend on the candidate, so the history is projected anew for each one: the
    cost that decoupled target attention avoids.
    """

    def create_layers(self) -> None:
        """Creates the attention."""
        edges = dict.fromkeys(self.schema.modality_names, self.config.attention_edges)
        self.attention = self.new_attention(EarlyFusionAttention, edges)

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, H * d]`."""
        codes = self.similarity_codes(batch)
        return self.attention(candidates, history, codes, behaviors_of(batch))
