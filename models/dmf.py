"""The Decoupled Multimodal Fusion model."""

import tensorflow as tf

from models.dta import DTA
from models.inputs.batch import Batch, behaviors_of
from models.layers import similarity_kernel
from models.layers.fusion import ComplementaryFusion
from models.layers.similarity_product import SimilarityProduct


class DMF(DTA):
    """Decoupled target attention fused with similarity tiers.

    After "Decoupled Multimodal Fusion for User Interest Modeling in Click-Through Rate
    Prediction" (arXiv 2510.11066): the modality-enriched path is attention with similarity as
    side information, the modality-centric path is a histogram of similarities. What the paper's
    abstract leaves open is this project's own (docs/design.md, "Origin of the method"). Beyond the
    paper, the head also sees the types of the behaviors that are most similar to the candidate, and
    a product of id and similarity is added to the logit (`SimilarityProduct`).
    """

    def create_layers(self) -> None:
        """Creates the attention, the tiers and their fusion."""
        super().create_layers()
        self.tiers = self.similarity_tiers()
        self.fusion = ComplementaryFusion(self.config.fusion, name="fusion")
        if windows := self.config.similarity_windows:
            types = self.schema.behavior_types
            self.product = SimilarityProduct(windows, types, name="similarity_product")

    def history_features(self, batch: Batch) -> list[tf.Tensor]:
        """Returns the kernel average of the types of similar behaviors, `[R, C, *]`."""
        if not self.config.kernel_width:
            return []
        return [
            similarity_kernel.similar_behaviors(
                self.similarity_codes(batch),
                behaviors_of(batch),
                self.schema.behavior_types,
                self.config.kernel_width,
            )
        ]

    def fuse(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Fuses the attention's interest with the tiers, `[R, C, *]`."""
        types = self.schema.behavior_types  # As the kernel counts, so that both share the counts.
        tiers = self.tiers(self.similarity_codes(batch), behaviors_of(batch), types)
        return self.fusion(interest, tiers)

    def shallow_logit(self, candidates: tf.Tensor, batch: Batch) -> tf.Tensor | None:
        """Returns the product of id and similarity, `[R, C]`, if it is configured."""
        if not self.config.similarity_windows:
            return None
        attended = self.attended(batch)
        codes = self.similarity_codes(attended)
        return self.product(candidates, codes, behaviors_of(attended))

    def scale_logit(self, of_prior: float, learned: float) -> None:
        """Multiplies the parts of the main label's logit; the product is learned too."""
        super().scale_logit(of_prior, learned)
        if self.config.similarity_windows:
            self.product.scale(learned)
