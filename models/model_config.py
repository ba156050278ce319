"""The hyper-parameters of a model."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from features.embeddings import similarity
from features.schema import STRICT

ModelName = Literal[
    "din",
    "dmf",
    "dmf_paper",
    "dta",
    "early_fusion",
    "id_only",
    "make",
    "raw_vectors",
    "sa_ta",
    "sa_ta_tiers",
    "sim_score",
    "simtier",
]


@dataclass(frozen=True, config=STRICT)
class ModelConfig:
    """The hyper-parameters of a ranking model.

    Attributes:
      name: `dmf`, or another model on the same backbone, see `models.factory`.
      label: the label to predict; None for the schema's first.
      conversion_label: a second label, which only a positive of `label` can have, such as
        `conversion` beside `click`. The model then also predicts pCTCVR = pCTR * pCVR, the
        probability of both, over all impressions (`models.entire_space`). None for one task.
        Weights are still selected by the AUC of `label`: with many more positives its estimate
        is less noisy, and pCTCVR contains pCTR.
      embedding_width: D, the width of an item's ID embedding.
      hashed_buckets: rows of a hashed table; 0 for the vocabulary that the join wrote.
      oov_buckets: rows for ids outside the vocabulary.
      id_dropout: share of ids treated as unknown in training; 0.1 helps cold items.
      embedding_l2: weight in training of the squares of the candidates' item rows, each once per
        batch, over the number of candidates; 0 for none. Its cost grows with those rows, not with
        the table.
      prior_strength: candidates at the mean rate that shrink each item's own rate, whose log odds
        are added to the logit. 0 for none, as in records with running statistics of the label.
      attention_length: number of newest behaviors that attention reads; 0 for all. Tiers,
        similarity scores and kernels always read the whole history, at one count per pair: a
        fraction of attention's cost.
      heads: H, attention heads.
      head_width: d, the width of a head.
      buckets: equal buckets of similarity over [-1, 1] in the attention.
      bucket_edges: inner edges instead of equal buckets, ascending in (-1, 1).
      tiers: equal tiers of similarity over [-1, 1] in the modality-centric path.
      tier_width: width of each modality's tower.
      fusion: how DMF fuses its two paths: `concat` puts them side by side, `gate` mixes them per
        coordinate, `scalar` by one learned weight.
      projection_width: width per modality of the head's projection of the candidate's own
        embedding; 0 for none. Needs records with `candidate_embedding_<modality>`.
      content_width: width per modality of the projected vectors, in models that read vectors; 0
        for none in a model that can do without.
      pretraining_epochs: passes over the train split in which `make` trains its content model.
      side_buckets: rows of each categorical side feature's hashed table.
      side_width: embedding width of a categorical side feature.
      kernel_width: width, in cosines, of the kernel by which DMF averages the types of similar
        behaviors; 0 for none.
      similarity_windows: numbers of newest behaviors over which DMF averages the cosines that it
        multiplies with the ID embedding. They are counted for each type, among those attended.
        Empty for no such product.
      auxiliary_loss: weight in training of the loss of a second head, which sees only the
        candidate's embedding and interest; 0 for none.
      position_buckets: positions that have an effect of their own in training, in records with
        positions; later ones share the last. Elsewhere no position is read. 0 for none.
      hidden: widths of the head's MLP.
      cross_layers: DCN-v2 cross layers in the head.
      cross_projection: rank of the cross layers' kernels; None for full rank.
    """

    name: ModelName = "dmf"
    label: str | None = None
    conversion_label: str | None = None
    embedding_width: PositiveInt = 32
    hashed_buckets: NonNegativeInt = 0
    oov_buckets: PositiveInt = 8
    id_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    embedding_l2: NonNegativeFloat = 0.25
    prior_strength: NonNegativeFloat = 60.0
    attention_length: NonNegativeInt = 64
    heads: PositiveInt = 1
    head_width: PositiveInt = 32
    buckets: PositiveInt = 20
    bucket_edges: tuple[float, ...] | None = None
    tiers: PositiveInt = 20
    tier_width: PositiveInt = 16
    fusion: Literal["concat", "gate", "scalar"] = "concat"
    projection_width: NonNegativeInt = 16
    content_width: NonNegativeInt = 16
    pretraining_epochs: PositiveInt = 2
    side_buckets: PositiveInt = 1024
    side_width: PositiveInt = 8
    kernel_width: NonNegativeFloat = 0.1
    similarity_windows: tuple[PositiveInt, ...] = (5, 50)
    auxiliary_loss: NonNegativeFloat = 0.3
    position_buckets: NonNegativeInt = 32
    hidden: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 128)
    cross_layers: NonNegativeInt = 1
    cross_projection: PositiveInt | None = None

    @property
    def attention_edges(self) -> tuple[float, ...]:
        """The inner edges of the attention's buckets."""
        return self.bucket_edges or similarity.uniform_edges(self.buckets)

    @property
    def tier_edges(self) -> tuple[float, ...]:
        """The inner edges of the modality-centric path's tiers."""
        return similarity.uniform_edges(self.tiers)
