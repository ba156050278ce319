"""The plain way to use content: vectors projected and concatenated to the item embeddings."""

import tensorflow as tf

from models.content_model import ContentModel
from models.inputs.batch import Batch


class RawVectors(ContentModel):
    """Target attention over `[id embedding ; projected vectors]` of candidates and behaviors.

    Production systems often try this first, and it is the baseline of SimTier's and MUSE's
    papers: the network has to learn similarity from raw vectors. The vectors are part of the
    model, because records hold none of the behaviors'. `config.content_width` is the width of
    each modality's projection.
    """

    reads_vectors = "always"

    def create_layers(self) -> None:
        """Creates the attention over ids and vectors."""
        self.attention = self.target_attention()

    def attention_inputs(
        self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the embeddings with the projected vectors, `[R, C, *]` and `[R, L, *]`."""
        return self.with_content(candidates, history, batch)
