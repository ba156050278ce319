"""The backbone that every ranking model shares."""

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import tensorflow as tf

from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATES,
    CONTEXT_PREFIX,
    HISTORY_ITEM_ID,
    USER_ID,
    ExampleSchema,
    Modality,
)
from models import downsampling, entire_space
from models.inputs.batch import Batch, behaviors_of, codes_of
from models.inputs.newest_behaviors import truncate_history
from models.layers.attention.decoupled_attention import DecoupledTargetAttention
from models.layers.content_table import ContentTable
from models.layers.id_embedding import IdEmbedding
from models.layers.item_prior import ItemPrior
from models.layers.position_bias import PositionBias
from models.layers.ranking_head import RankingHead
from models.layers.side_features import SideFeatures
from models.losses import tasks
from models.model_config import ModelConfig
from models.ranking_loss import RankingLoss

VectorUse = Literal["never", "if_given", "always"]

_AUXILIARY_HIDDEN = 128
_NEWEST = (10, 50)
"""Numbers of newest behaviors whose types the head sees."""


class RankingModel(RankingLoss):
    """Item embedding, an interest in the history, side features and a head.

    A subclass creates its layers in `create_layers`, and overrides `interest` and `fuse` where it
    reads the history in its own way. With `config.conversion_label` a second head reads the same
    inputs (`models.entire_space`).

    Shapes: R requests, C candidates, L behaviors, D embedding width, H heads, d head width.

    Args:
      config: hyper-parameters.
      schema: what the records hold.
      vocabulary: `[N]` int64 item ids, ascending; None where `config.hashed_buckets` is set.
      embeddings: frozen vectors by modality, as far as the model `reads_vectors`.

    Raises:
      UserInputError: the schema lacks a label, or there is neither a vocabulary nor
        `config.hashed_buckets`.
    """

    reads_vectors: ClassVar[VectorUse] = "never"
    """Whether the model holds frozen vectors: `always` needs `embeddings`, `if_given` uses them."""

    def __init__(
        self,
        config: ModelConfig,
        schema: ExampleSchema,
        vocabulary: np.ndarray | None,
        embeddings: Mapping[str, EmbeddingSet] | None = None,
    ) -> None:
        super().__init__()
        # Not on the class: Keras would not track a layer that hides a class attribute.
        self.attention: Any = None
        self.content_embedding: Any = None
        self.config = config
        self.schema = schema
        self.label = config.label or schema.primary_label
        if self.label not in schema.labels:
            raise UserInputError(
                f"model.label is {self.label!r}, but the records' labels are {schema.labels}."
            )
        self.conversion_label = config.conversion_label
        if self.conversion_label is not None:
            entire_space.check_conversion_label(self.conversion_label, self.label, schema)
        downsampling.check_label(self.label, schema)
        self.logit_shift = downsampling.logit_shift(schema)
        if vocabulary is None and not config.hashed_buckets:
            raise UserInputError(
                "The data set has no item vocabulary: set model.hashed_buckets to hash ids."
            )
        self.item_embedding = IdEmbedding(
            config.embedding_width,
            vocabulary=None if config.hashed_buckets else vocabulary,
            hashed_buckets=config.hashed_buckets,
            oov_buckets=config.oov_buckets,
            dropout=config.id_dropout,
            name="item_embedding",
        )
        self.item_prior: Any = None
        if config.prior_strength and not schema.has_statistics_of(self.label):
            rows, unknown = self.item_embedding.row_count, config.oov_buckets
            self.item_prior = ItemPrior(rows, unknown, config.prior_strength, name="item_prior")
            self.item_prior.build(None)
        side = {"buckets": config.side_buckets, "width": config.side_width}
        self.item_side = SideFeatures(
            schema.item_features, CANDIDATES.prefix, **side, name="item_side"
        )
        self.context_side = SideFeatures(
            schema.context_features, CONTEXT_PREFIX, **side, name="context_side"
        )
        head = (config.hidden, config.cross_layers, config.cross_projection)
        self.head = RankingHead(*head, name="head")
        self.auxiliary_head: Any = None
        if config.auxiliary_loss:
            self.auxiliary_head = RankingHead((_AUXILIARY_HIDDEN,), 0, name="auxiliary_head")
        self.position_bias: Any = None
        if schema.positioned and config.position_buckets:
            self.position_bias = PositionBias(
                config.position_buckets, self.label, name="position_bias"
            )
            self.position_bias.build(tf.TensorShape([None, None]))
        self.task = tasks.main_task()
        if self.conversion_label is not None:
            self.conversion_head = RankingHead(*head, name="conversion_head")
            self.conversion_task = tasks.conversion_task()
        # Content before the rest: Keras lists weights in the order of creation.
        self.create_content_layers(embeddings)
        self.create_layers()

    def create_content_layers(self, embeddings: Mapping[str, EmbeddingSet] | None) -> None:
        """Creates what all models with content share; nothing in a model on ids."""
        del embeddings

    @abc.abstractmethod
    def create_layers(self) -> None:
        """Creates the layers of the subclass, `attention` among them if the model attends."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities whose similarity codes the model reads."""
        return self.schema.modalities

    @property
    def similarity_names(self) -> tuple[str, ...]:
        """The names of `similarity_codes`: the modalities."""
        return tuple(modality.name for modality in self.modalities)

    def similarity_codes(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns the similarity codes that the model reads, by modality, `[R, C, L]` uint8."""
        return codes_of(batch, self.modalities)

    @property
    def content_tables(self) -> dict[str, ContentTable]:
        """The frozen vectors inside the model by modality; empty in a model that has none."""
        return {} if self.content_embedding is None else self.content_embedding.tables

    @property
    def tables(self) -> dict[str, tf.Variable]:
        """The embedding tables, `[rows, width]` float32, by the feature that they embed."""
        side = self.item_side.tables | self.context_side.tables
        return {"item_id": self.item_embedding.table, **side}

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns each candidate's interest vector, `[R, C, *]`; here of attention without codes.

        Args:
          candidates: `[R, C, D]` item embeddings.
          history: `[R, L, D]` item embeddings.
          batch: parsed requests, with the behaviors that are attended.
        """
        inputs = self.attention_inputs(candidates, history, batch)
        return self.attention(*inputs, {}, behaviors_of(batch))

    def attention_inputs(
        self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the attention's candidates `[R, C, *]` and history `[R, L, *]`; here as given."""
        del batch
        return candidates, history

    def fuse(self, interest: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Fuses the interest with features of the whole history, `[R, C, *]`; here with none.

        Args:
          interest: `[R, C, *]`.
          batch: parsed requests, with all behaviors.
        """
        del batch
        return interest

    def attended(self, batch: Batch) -> Batch:
        """Returns the batch with only those behaviors that are attended, the newest."""
        if not self.config.attention_length:
            return batch
        names = [modality.name for modality in self.modalities]
        return truncate_history(batch, self.config.attention_length, names)

    def target_attention(self, modalities: Sequence[str] = ()) -> DecoupledTargetAttention:
        """Returns a new attention over the behaviors, on ids alone without modalities."""
        edges = dict.fromkeys(modalities, self.config.attention_edges)
        return self.new_attention(DecoupledTargetAttention, edges)

    def new_attention(self, kind: Callable[..., Any], similarity: Any) -> Any:
        """Returns a new attention layer with the configured sizes.

        Args:
          kind: the layer's class.
          similarity: its first argument, which says what it reads of similarity.
        """
        return kind(
            similarity,
            self.config.heads,
            self.config.head_width,
            self.schema.behavior_types,
            residuals=self.schema.has_residuals,
            name="attention",
        )

    def candidate_content(self, batch: Batch) -> list[tf.Tensor]:
        """Returns what the candidates' own content adds to the head, each `[R, C, *]`."""
        del batch
        return []

    def history_features(self, batch: Batch) -> list[tf.Tensor]:
        """Returns the head's inputs computed from the history without weights, each `[R, C, *]`."""
        del batch
        return []

    def shallow_logit(self, candidates: tf.Tensor, batch: Batch) -> tf.Tensor | None:
        """Returns what is added to the main label's logit beside the head, `[R, C]`; here nothing.

        Args:
          candidates: `[R, C, D]` item embeddings.
          batch: parsed requests, with all behaviors.
        """
        del candidates, batch
        return None

    def scale_logit(self, of_prior: float, learned: float) -> None:
        """Multiplies the parts of the main label's logit, by their weights.

        Args:
          of_prior: factor of the item prior; without effect in a model that has none.
          learned: factor of all that is learned beside it.
        """
        if self.item_prior is not None:
            self.item_prior.scale(of_prior)
        self.head.scale(learned)

    def pretrain(self, one_pass: Callable[[int], tf.data.Dataset], learning_rate: float) -> None:
        """Trains what must be trained before the rest; most models have no such part.

        Args:
          one_pass: returns the batches of a pass over the train split, given the pass's number.
          learning_rate: initial step size.
        """

    def bucket_variables(self) -> list[tf.Variable]:
        """Returns the attention's variables that use the learning rate of the bucket tables."""
        return self.attention.bucket_variables() if self.attention else []

    def adapt(self, sample: Iterable[Batch]) -> None:
        """Fits the statistics that inputs are standardized by; once, before training.

        Args:
          sample: batches of the train split; not read by a model without such inputs.
        """
        parts = [self.item_side, self.context_side, self.position_bias]
        parts = [part for part in parts if part is not None and part.wants_sample]
        batches = list(sample) if parts else []
        for part in parts:
            part.adapt(batches)

    def bucket_effect(self) -> dict[str, dict[str, list]]:
        """Returns the learned effect of similarity, for reports.

        Returns:
          By modality: the inner `edges` of the buckets; `bias_by_type`, the attention's bias as
          `[Y, B, H]` lists, whose first bucket is that of unknown similarity; and `bias`, its mean
          over the types, `[B, H]`. Empty for a model whose attention reads no similarity.
        """
        return {}

    def call(self, batch: Batch, training: bool = False) -> tf.Tensor:
        """Returns the main label's logits, `[R, C]`; those of padded candidates are undefined."""
        return self.logits_by_label(batch, training)[self.label]

    def logits_by_label(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns logits `[R, C]` of every label, the main one first."""
        candidates, interest = self.candidates_and_interest(batch, training)
        content, prior = self.candidate_content(batch), self.prior(batch, training)
        return self.logits(candidates, interest, content, batch, training, prior)

    def prior(self, batch: Batch, training: bool = False) -> tf.Tensor | None:
        """Returns what candidates' own rates add to the main label's logit, `[R, C]`, or None."""
        if self.item_prior is None:
            return None
        rows = self.item_embedding.rows(batch[CANDIDATE_ITEM_ID])
        if training:
            return self.item_prior.in_training(rows, batch[USER_ID])
        return self.item_prior(rows)

    def candidates_and_interest(
        self, batch: Batch, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the candidates' embeddings `[R, C, D]` and interest vectors `[R, C, *]`."""
        candidates = self.item_embedding(batch[CANDIDATE_ITEM_ID], training=training)
        attended = self.attended(batch)
        history = self.item_embedding(attended[HISTORY_ITEM_ID], training=training)
        interest = self.interest(candidates, history, attended)
        return candidates, self.fuse(interest, batch)

    def create_variables(self, batch: Batch) -> None:
        """Creates every variable, including those that only training uses.

        Args:
          batch: of any shape.
        """
        self(batch)
        if self.auxiliary_head is not None:
            self.auxiliary_head(self.candidates_and_interest(batch))

    def logits(
        self,
        candidates: tf.Tensor,
        interest: tf.Tensor,
        content: Sequence[tf.Tensor],
        batch: Batch,
        training: bool = False,
        added: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Returns logits `[R, C]` by label from a candidate's embedding, interest and content.

        `added` is what is added to the main label's logit, `[R, C]`: the `prior`, and in the loss
        the effect of the place where the candidate was shown. None for nothing.

        The conversion label's is the logit of pCTCVR, the probability of click and conversion.
        Logits are of the whole log; in training they are of the records, which may lack
        negatives (`models.downsampling`).
        """
        shape = tf.shape(candidates)
        behaviors = behaviors_of(batch)
        length = tf.reduce_sum(tf.cast(behaviors.mask, tf.float32), axis=1, keepdims=True)
        recent = behaviors.recent_types(self.schema.behavior_types, _NEWEST)
        request = [*self.context_side(batch), tf.math.log1p(length), recent]
        repeated = [
            tf.broadcast_to(vector[:, None], [shape[0], shape[1], vector.shape[-1]])
            for vector in request
        ]
        known = [*content, *self.history_features(batch), *self.item_side(batch), *repeated]
        inputs = [candidates, interest, *known]
        logits = {self.label: self.head(inputs)}
        if added is not None:
            logits[self.label] += added
        if (shallow := self.shallow_logit(candidates, batch)) is not None:
            logits[self.label] += shallow
        if self.logit_shift and not training:
            logits[self.label] += self.logit_shift
        if self.conversion_label is not None:
            conversion = self.conversion_head(inputs)
            joint = entire_space.joint_logit(logits[self.label], conversion)
            logits[self.conversion_label] = joint
        return logits
