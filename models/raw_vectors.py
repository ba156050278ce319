"""The plain way to use content: vectors projected and concatenated to the item embeddings."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from features.embeddings.embedding_set import EmbeddingSet
from features.schema import CANDIDATE_ITEM_ID, HISTORY_ITEM_ID, ExampleSchema
from models.content_model import ContentModel
from models.inputs.batch import Batch, behaviors_of
from models.layers.content_embedding import ContentEmbedding
from models.model_config import ModelConfig


class RawVectors(ContentModel):
    """Target attention over `[id embedding ; projected vectors]` of candidates and behaviors.

    What production systems often try first, and the baseline of SimTier's and MUSE's papers: the
    network itself has to learn similarity from raw vectors. They are part of the model, because
    records hold no vectors of behaviors.

    Args:
      config: hyper-parameters; `content_width` a modality is concatenated.
      schema: what the records hold; every modality of it is used.
      vocabulary: `[N]` int64 item ids, ascending, or None to hash.
      embeddings: frozen vectors by modality.

    Raises:
      UserInputError: the schema has no modality.
    """

    reads_vectors = True

    def __init__(
        self,
        config: ModelConfig,
        schema: ExampleSchema,
        vocabulary: np.ndarray | None,
        embeddings: Mapping[str, EmbeddingSet],
    ) -> None:
        super().__init__(config, schema, vocabulary)
        self.content_embedding = ContentEmbedding(
            embeddings, config.content_width, name="content_embedding"
        )
        self.attention = self.target_attention()

    def interest(self, candidates: tf.Tensor, history: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Returns the interest vector, `[R, C, H * d]`."""
        candidate_content = self.content_embedding(batch[CANDIDATE_ITEM_ID])
        history_content = self.content_embedding(batch[HISTORY_ITEM_ID])
        return self.attention(
            tf.concat([candidates, candidate_content], axis=-1),
            tf.concat([history, history_content], axis=-1),
            {},
            behaviors_of(batch),
        )
