"""The baseline without content: target attention on ids."""

from features.schema import Modality
from models.ranking_model import RankingModel


class IdOnly(RankingModel):
    """Target attention with time gaps and behavior types, but no similarity.

    Hyper-parameters of similarity and the schema's modalities are not used.
    """

    def create_layers(self) -> None:
        """Creates the attention on ids."""
        self.attention = self.target_attention()

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """None: this model reads no content."""
        return ()
