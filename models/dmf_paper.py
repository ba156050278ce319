"""DMF as others read the paper: one similarity, and two networks mixed by one weight."""

import tensorflow as tf
import tf_keras as keras

from models.dta import DTA
from models.inputs.batch import Batch, behaviors_of, codes_of
from models.layers.similarity_tiers import SimilarityTiers

_SIMILARITY = "content"


class PaperDMF(DTA):
    """DMF without what this project adds, for comparison; `models.dmf.DMF` is the one to use.

    After "Decoupled Multimodal Fusion for User Interest Modeling in Click-Through Rate
    Prediction" (arXiv 2510.11066), as its public implementation in PyTorch reads it:

        interest = alpha MLP(enriched) + (1 - alpha) MLP(tiers)

    with one learned alpha in (0, 1) and one similarity. Where the records have several
    modalities, it is the mean of those that are known.
    """

    reads_vectors = "never"

    def create_layers(self) -> None:
        """Creates the attention, the tiers, their networks and alpha."""
        self.attention = self.target_attention((_SIMILARITY,))
        tiers = {_SIMILARITY: self.config.tier_edges}
        self.tiers = SimilarityTiers(tiers, self.config.tier_width, name="tiers")
        width = self.config.heads * self.config.head_width
        self.enriched_mlp = _mlp(width, "enriched")
        self.centric_mlp = _mlp(width, "centric")
        self.mix = self.add_weight("mix", (), initializer="zeros")

    @property
    def similarity_names(self) -> tuple[str, ...]:
        """The one name of `similarity_codes`."""
        return (_SIMILARITY,)

    def similarity_codes(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns one similarity code of all modalities, `[R, C, L]` uint8."""
        codes = tf.stack(list(codes_of(batch, self.schema.modalities).values()))
        known = tf.reduce_sum(tf.cast(codes > 0, tf.float32), axis=0)
        total = tf.reduce_sum(tf.cast(codes, tf.float32), axis=0)
        return {_SIMILARITY: tf.cast(tf.round(tf.math.divide_no_nan(total, known)), tf.uint8)}

    def fuse(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Mixes the two paths, `[R, C, H * d]`."""
        alpha = tf.sigmoid(self.mix)
        tiers = self.tiers(self.similarity_codes(batch), behaviors_of(batch))
        centric = self.centric_mlp(tiers)
        return alpha * self.enriched_mlp(interest) + (1 - alpha) * centric


def _mlp(width: int, name: str) -> keras.Sequential:
    layers = [keras.layers.Dense(width, activation="relu"), keras.layers.Dense(width)]
    return keras.Sequential(layers, name=name)
