"""MAKE: a content model trained first, whose interest vector the ID model then reads."""

from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from features.errors import UserInputError
from features.schema import CANDIDATE_ITEM_ID, CANDIDATE_MASK, HISTORY_ITEM_ID
from models.content_model import ContentModel
from models.inputs import candidate_weights
from models.inputs.batch import Batch, behaviors_of
from models.losses import replicas, tasks


class MAKE(ContentModel):
    """ID target attention beside the interest vector of a pre-trained content model.

    After Sheng et al., "Enhancing Taobao Display Advertising with Multimodal Representations:
    Challenges, Approaches and Insights", CIKM 2024 (arXiv 2407.19467): parameters of content
    need several passes, while those of ids overfit after one. So a content model, target attention
    over projected vectors and a small network, is trained first, for `pretraining_epochs`. The ID
    model then reads the last hidden layer of that network, which is frozen.
    """

    reads_vectors = "always"

    def create_layers(self) -> None:
        """Creates the content model, which only `pretrain` trains, and the attention on ids."""
        width = self.config.head_width
        self.content_attention = self.target_attention()
        self.content_hidden = keras.layers.Dense(width, activation="relu", name="content_hidden")
        self.content_logit = keras.layers.Dense(1, name="content_logit")
        self.content_logit.build([None, None, width])
        self._content_parts = (
            self.content_embedding,
            self.content_attention,
            self.content_hidden,
            self.content_logit,
        )
        self._train_content(False)
        self.attention = self.target_attention()

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest of ids and of content side by side, `[R, C, (H + 1) * d]`."""
        interest = super().interest(candidates, history, batch)
        return tf.concat([interest, tf.stop_gradient(self.content_interest(batch))], axis=-1)

    def content_interest(self, batch: Batch) -> tf.Tensor:
        """Returns the content model's last hidden layer, `[R, C, d]`."""
        candidates = self.content_embedding(batch[CANDIDATE_ITEM_ID])
        history = self.content_embedding(batch[HISTORY_ITEM_ID])
        interest = self.content_attention(candidates, history, {}, behaviors_of(batch))
        return self.content_hidden(tf.concat([candidates, interest], axis=-1))

    def pretrain(self, one_pass: Callable[[int], tf.data.Dataset], learning_rate: float) -> None:
        """Trains the content model.

        Args:
          one_pass: returns the batches of a pass over the train split, given the pass's number.
          learning_rate: of Adam.

        Raises:
          UserInputError: training is distributed.
        """
        if replicas.count() > 1:
            raise UserInputError(
                "make trains its content model on one device: set training.strategy=one_device."
            )
        self._train_content(True)
        variables = [one for part in self._content_parts for one in part.trainable_variables]
        optimizer = keras.optimizers.Adam(learning_rate)

        @tf.function(reduce_retracing=True, autograph=False)
        def step(batch: Batch) -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = self._content_loss(batch)
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return loss

        for number in range(self.config.pretraining_epochs):
            for batch in one_pass(number):
                step(batch)
        self._train_content(False)

    def _train_content(self, trainable: bool) -> None:
        for part in self._content_parts:
            part.trainable = trainable

    def _content_loss(self, batch: Batch) -> tf.Tensor:
        logits = self.content_logit(self.content_interest(self.attended(batch)))[..., 0]
        weights = candidate_weights.weights_of(batch, self.schema)
        losses = tasks.log_losses(batch[self.label], logits, batch[CANDIDATE_MASK], weights)
        return tf.reduce_mean(losses)
