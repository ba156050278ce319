"""Models with the same head and random weights, exported as the pipeline exports them."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras as keras

from benchmarks.model_alternatives.materialized_attention import MaterializedDMF
from features.embeddings import embedding_set
from features.embeddings.embedding_set import EmbeddingSet
from features.schema import ExampleSchema, Modality
from kernels import library
from models import factory
from models.dmf import DMF
from models.early_fusion import EarlyFusion
from models.id_only import IdOnly
from models.model_config import ModelConfig
from models.ranking_model import RankingModel
from serving_signatures.export import saved_model

SCHEMA = ExampleSchema(
    labels=("click",),
    modalities=(Modality("text", 128), Modality("image", 128)),
    history_length=1000,
    behavior_types=2,
)
CONFIG = ModelConfig(embedding_width=64, head_width=64, attention_length=0)
"""Attention reads the whole history, so that every model attends to the same behaviors."""

DEFAULTS = ModelConfig()
"""What users train who set nothing: attention reads the newest behaviors."""

_KINDS: dict[str, tuple[type[RankingModel], ModelConfig]] = {
    "id_only": (IdOnly, CONFIG),
    "dmf": (DMF, CONFIG),
    "dmf_materialized": (MaterializedDMF, CONFIG),
    "early_fusion": (EarlyFusion, CONFIG),
    "id_only_default": (IdOnly, DEFAULTS),
    "dmf_default": (DMF, DEFAULTS),
}
_KERNELS = "_kernels"
"""Ends the name of a model that is exported with native kernels, too."""


def content(items: int) -> dict[str, EmbeddingSet]:
    """Returns a set of random vectors for each modality, for items 1 to N."""
    rng = np.random.default_rng(0)
    ids = np.arange(1, items + 1)
    return {
        modality.name: embedding_set.from_vectors(
            ids, rng.standard_normal((items, modality.dimension), np.float32)
        )
        for modality in SCHEMA.modalities
    }


def build_all(
    embeddings: Mapping[str, EmbeddingSet], names: Sequence[str] = ()
) -> dict[str, RankingModel]:
    """Returns models by name with random weights; `dmf_materialized` has those of `dmf`.

    Args:
      embeddings: a set of each modality, whose items are the vocabulary; models that can read
        them do.
      names: of the models; all if empty.
    """
    vocabulary = next(iter(embeddings.values())).item_ids
    models = {}
    for name, (kind, config) in _KINDS.items():
        if names and name not in names:
            continue
        keras.utils.set_random_seed(1)
        read = None if kind.reads_vectors == "never" else embeddings
        models[name] = kind(config, SCHEMA, vocabulary, read)
        models[name].create_variables(factory.zero_batch(SCHEMA))
    return models


def export_all(
    folder: str, embeddings: dict[str, EmbeddingSet], names: Sequence[str] = ()
) -> dict[str, str]:
    """Exports models with the embedding sets inside; each passes the export's gate.

    The sets' items are the vocabulary. Where the library of native kernels was built, `dmf` and
    `dmf_default` are exported with them too. Returns the version folder by model.
    """
    folders = {}
    wanted = [name.removesuffix(_KERNELS) for name in names]
    for name, model in build_all(embeddings, wanted).items():
        own = {modality.name: embeddings[modality.name] for modality in model.modalities}
        place = os.path.join(folder, name)
        folders[name] = saved_model.export_saved_model(model, place, own, batch_sizes=(1,)).folder
        if type(model) is DMF and library.ops():
            exported = saved_model.export_saved_model(
                model, place + _KERNELS, own, batch_sizes=(1,), kernels=True
            )
            folders[name + _KERNELS] = exported.folder
    return folders
