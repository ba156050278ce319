"""Builds a model, with its variables, from a configuration."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.records import example
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    HISTORY_MASK,
    SCALARS,
    ExampleSchema,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)
from models.din import DIN
from models.dmf import DMF
from models.dmf_paper import PaperDMF
from models.dta import DTA
from models.early_fusion import EarlyFusion
from models.id_only import IdOnly
from models.make import MAKE
from models.model_config import ModelConfig
from models.ranking_model import RankingModel
from models.raw_vectors import RawVectors
from models.sa_ta import SATA, SATATiers
from models.sim_score import SimScore
from models.simtier import SimTier

MODELS: dict[str, type[RankingModel]] = {
    "din": DIN,
    "dmf": DMF,
    "dmf_paper": PaperDMF,
    "dta": DTA,
    "early_fusion": EarlyFusion,
    "id_only": IdOnly,
    "make": MAKE,
    "raw_vectors": RawVectors,
    "sa_ta": SATA,
    "sa_ta_tiers": SATATiers,
    "sim_score": SimScore,
    "simtier": SimTier,
}


def build_model(
    config: ModelConfig,
    schema: ExampleSchema,
    vocabulary: np.ndarray | None,
    embeddings: Mapping[str, EmbeddingSet] | None = None,
) -> RankingModel:
    """Returns a model with initial values.

    Args:
      config: hyper-parameters; `config.name` selects the class.
      schema: what the records hold.
      vocabulary: `[N]` int64 item ids, ascending, or None to hash.
      embeddings: frozen vectors by modality, for models that read them; `dmf` and `dta` attend by
        similarity alone where there are none.

    Raises:
      UserInputError: the model does not fit the records, or vectors that it reads are missing.
    """
    kind = MODELS[config.name]
    known = None
    wanted = embeddings and config.content_width
    if kind.reads_vectors == "always" or (kind.reads_vectors == "if_given" and wanted):
        if not config.content_width:
            raise UserInputError(
                f"model.content_width is 0, but model.name={config.name} reads vectors alone: "
                "give a width from 1."
            )
        sets = embeddings or {}
        missing = [name for name in schema.modality_names if name not in sets]
        if missing:
            raise UserInputError(
                f"model.name={config.name} reads vectors, and there are none of {missing}: pass "
                "--embeddings modality=DIR for each, the folders that the join read."
            )
        known = {name: sets[name] for name in schema.modality_names}
    model = kind(config, schema, vocabulary, known)
    model.create_variables(zero_batch(schema))
    return model


def zero_batch(
    schema: ExampleSchema, requests: int = 1, candidates: int = 2, behaviors: int = 1
) -> dict[str, tf.Tensor]:
    """Returns a batch of zeros with every feature of the schema.

    Args:
      schema: what the records hold.
      requests: R.
      candidates: C.
      behaviors: L.
    """
    r, c, b = requests, candidates, behaviors
    batch = {name: tf.zeros([r], tf.int64) for name in SCALARS}
    batch |= {name: tf.zeros([r, b], tf.int64) for name in schema.history}
    batch[CANDIDATE_ITEM_ID] = tf.zeros([r, c], tf.int64)
    batch[HISTORY_MASK] = tf.ones([r, b], tf.bool)
    batch[CANDIDATE_MASK] = tf.ones([r, c], tf.bool)
    batch |= {name: tf.zeros([r, c]) for name in schema.candidate_floats}
    for modality in schema.modalities:
        batch[similarity_feature(modality.name)] = tf.zeros([r, c, b], tf.uint8)
        if modality.candidate_embedding:
            name = candidate_embedding_feature(modality.name)
            batch[name] = tf.zeros([r, c, modality.dimension], tf.int8)
    for side in schema.item_features:
        dtype = example.side_feature_dtype(side)
        batch[candidate_feature(side.name)] = tf.zeros([r, c, side.width], dtype)
    for side in schema.context_features:
        batch[context_feature(side.name)] = tf.zeros(
            [r, side.width], example.side_feature_dtype(side)
        )
    return batch
