"""SimTier: target attention on ids beside a histogram of similarities."""

import tensorflow as tf

from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of


class SimTier(ContentModel):
    """ID target attention beside similarity tiers; neither path sees the other.

    After Sheng et al., "Enhancing Taobao Display Advertising with Multimodal Representations:
    Challenges, Approaches and Insights", CIKM 2024 (arXiv 2407.19467).
    """

    def create_layers(self) -> None:
        """Creates the attention on ids and the tiers."""
        self.attention = self.target_attention()
        self.tiers = self.similarity_tiers()

    def fuse(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns interest and tiers side by side, `[R, C, H * d + T]`."""
        tiers = self.tiers(self.similarity_codes(batch), behaviors_of(batch))
        return tf.concat([interest, tiers], axis=-1)
