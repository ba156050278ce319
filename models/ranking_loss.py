"""How every ranking model is trained: its steps and its loss."""

import abc
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    CANDIDATE_POSITION,
    ExampleSchema,
)
from models.inputs import candidate_weights
from models.inputs.batch import Batch
from models.layers.id_embedding import IdEmbedding
from models.losses import replicas, row_penalty, tasks
from models.model_config import ModelConfig


class RankingLoss(tfrs.Model, abc.ABC):
    """The steps and the loss of a model, whose scores `models.ranking_model` has."""

    config: ModelConfig
    schema: ExampleSchema
    label: str
    conversion_label: str | None
    task: tfrs.tasks.Ranking
    conversion_task: tfrs.tasks.Ranking
    item_embedding: IdEmbedding
    auxiliary_head: Any
    position_bias: Any

    @abc.abstractmethod
    def candidates_and_interest(
        self, batch: Batch, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the candidates' embeddings `[R, C, D]` and interest vectors `[R, C, *]`."""

    @abc.abstractmethod
    def candidate_content(self, batch: Batch) -> list[tf.Tensor]:
        """Returns what the candidates' own content adds to the head, each `[R, C, *]`."""

    @abc.abstractmethod
    def logits(
        self,
        candidates: tf.Tensor,
        interest: tf.Tensor,
        content: Sequence[tf.Tensor],
        batch: Batch,
        training: bool = False,
        added: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Returns logits `[R, C]` by label; `added` is added to the main one, `[R, C]`."""

    @abc.abstractmethod
    def prior(self, batch: Batch, training: bool = False) -> tf.Tensor | None:
        """Returns what candidates' own rates add to the main label's logit, `[R, C]`, or None."""

    # AutoGraph has nothing to convert here, and looking for it takes most of the tracing time; in
    # `compute_loss` without a graph it takes seconds, for Keras' metrics.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, inputs: Batch) -> dict[str, tf.Tensor]:
        """Takes one step of the optimizer and returns the `loss`; metrics are only updated."""
        with tf.GradientTape() as tape:
            loss = self.compute_loss(inputs, training=True)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}

    @tf.autograph.experimental.do_not_convert
    def test_step(self, inputs: Batch) -> dict[str, tf.Tensor]:
        """Scores one batch and returns the `loss`; metrics are only updated."""
        return {"loss": self.compute_loss(inputs)}

    @tf.autograph.experimental.do_not_convert
    def compute_loss(self, inputs: Batch, training: bool = False) -> tf.Tensor:
        """Returns the mean log loss over the candidates that are not padding, summed over labels.

        Where candidates have weights, each one's loss is multiplied by its own. The mean is still
        over their number, so that a batch of small weights counts for little.

        On several replicas it is this replica's part of the mean over the candidates of them all:
        the parts add up to the loss, and their gradients to its gradient.

        In training, `config.auxiliary_loss` times the log loss of a second head is added, which
        sees only the candidate's embedding and interest. Without it the inputs that need no
        training, above all statistics, explain so much so early that attention is left without
        a gradient to learn from (deep supervision, Lee et al., AISTATS 2015). With
        `config.embedding_l2`, the squares of the candidates' item rows are added too, each row
        once per batch. Rows of the history are left out, a penalty that costs more than it gains.
        """
        candidates, interest = self.candidates_and_interest(inputs, training)
        content = self.candidate_content(inputs)
        shown = self.effect_of_position(inputs)
        beside = [one for one in (self.prior(inputs, training), shown) if one is not None]
        added = tf.add_n(beside) if beside else None
        logits = self.logits(candidates, interest, content, inputs, training, added)
        mask = inputs[CANDIDATE_MASK]
        weights = candidate_weights.weights_of(inputs, self.schema)
        loss = tasks.summed_loss(self.task, inputs[self.label], logits[self.label], mask, weights)
        if (label := self.conversion_label) is not None:
            loss += tasks.summed_loss(
                self.conversion_task, inputs[label], logits[label], mask, weights
            )
        if training and self.auxiliary_head is not None:
            alone = self.auxiliary_head((candidates, interest))
            alone = alone if shown is None else alone + shown
            losses = tasks.log_losses(inputs[self.label], alone, mask, weights)
            loss += self.config.auxiliary_loss * tf.reduce_sum(losses)
        if training and self.config.embedding_l2:
            counted = mask if weights is None else mask & (weights > 0)
            rows = self.item_embedding.rows(tf.boolean_mask(inputs[CANDIDATE_ITEM_ID], counted))
            penalty = row_penalty.squared_rows(self.item_embedding.table, rows)
            loss += self.config.embedding_l2 * penalty
        return loss / replicas.total(tf.reduce_sum(tf.cast(mask, tf.float32)))

    def effect_of_position(self, batch: Batch) -> tf.Tensor | None:
        """Returns what positions add to the logit of what was observed, `[R, C]`; None for none."""
        if self.position_bias is None:
            return None
        return self.position_bias(batch[CANDIDATE_POSITION])
