"""SA-TA and SA-TA with tiers: the attention of MUSE."""

import tensorflow as tf

from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of
from models.layers.attention.semantic_attention import SemanticTargetAttention


class SATA(ContentModel):
    """Semantic-aware target attention (MUSE, arXiv 2512.07216), without tiers.

    Attention on ids, whose scores are mixed with the similarities themselves by learned gates.
    """

    def create_layers(self) -> None:
        """Creates the attention."""
        names = self.schema.modality_names
        self.attention = self.new_attention(SemanticTargetAttention, names)

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, H * d]`."""
        codes = self.similarity_codes(batch)
        return self.attention(candidates, history, codes, behaviors_of(batch))


class SATATiers(SATA):
    """MUSE's ranking model: semantic-aware target attention beside similarity tiers."""

    def create_layers(self) -> None:
        """Creates the attention and the tiers."""
        super().create_layers()
        self.tiers = self.similarity_tiers()

    def fuse(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns interest and tiers side by side, `[R, C, H * d + T]`."""
        tiers = self.tiers(self.similarity_codes(batch), behaviors_of(batch))
        return tf.concat([interest, tiers], axis=-1)
