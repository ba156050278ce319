"""A training from opened inputs to a finished run folder; done once, it is not done again."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from absl import logging

from features.embeddings.embedding_set import EmbeddingSet
from models import factory, trained_model
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import distribution, fit
from pipeline.runtime import termination
from pipeline.training_runs import run_claim, training_run
from pipeline.training_runs.run_config import RunConfig
from pipeline.training_runs.training_run import Origin


def train(
    folder: str,
    examples: ExampleSet,
    config: RunConfig,
    embeddings: Mapping[str, EmbeddingSet],
    origin: Origin,
    *,
    start: str | None = None,
    overwrite: bool = False,
    replace: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> dict[str, Any] | None:
    """Trains a model and records the run; resumes what was stopped.

    Args:
      folder: of the model, local.
      examples: the data set.
      config: `model` and `training` are read.
      embeddings: frozen vectors by modality, for models that read them.
      origin: of the run.
      start: folder of the model to start from; None for initial values.
      overwrite: train anew where the folder holds a training.
      replace: the same, but not where it is this very training.
      strategy: over which replicas; None for the default one.

    Returns:
      The figures of `fit.train`; None where there is nothing to do: this very training is
      finished in the folder, or this worker is not the chief.

    Raises:
      UserInputError: the inputs or the folder must be changed.
      StoppedError: SIGTERM; the same call resumes.
    """
    scope = strategy or tf.distribute.get_strategy()
    identity = run_claim.identity(examples, config, embeddings, start)
    embeddings = _readable(embeddings, config.model, start)
    if replace and not overwrite:
        overwrite = run_claim.holds_another(folder, identity)
    with scope.scope():
        chief = distribution.is_chief()
    with run_claim.claimed(folder, identity, overwrite, chief) as finished:
        if finished:
            logging.info("%s holds just this training already: nothing to do.", folder)
            return None
        with termination.saving() as stop_requested, scope.scope():
            model, figures = fit.train(
                examples, config.model, config.training, folder, embeddings, stop_requested, start
            )
        if not chief:
            return None
        training_run.record(folder, model, examples, config, embeddings, origin)
    return figures


def _readable(
    embeddings: Mapping[str, EmbeddingSet], model: ModelConfig, start: str | None
) -> Mapping[str, EmbeddingSet]:
    """Returns the sets that a model may hold.

    A model that can do without gets none with late vectors, which attention would read in requests
    that came before them, and none if the model that it starts from has none.
    """
    if factory.MODELS[model.name].reads_vectors != "if_given":
        return embeddings
    late = [modality for modality, one in embeddings.items() if one.has_availability_times]
    if not embeddings:
        reason = "no vectors are given"
    elif not model.content_width:
        reason = "model.content_width is 0"
    elif late:
        reason = f"vectors of {', '.join(late)} have times"
    elif start is not None and not trained_model.holds_vectors(start):
        reason = "so does the model that it starts from"
    else:
        return embeddings
    logging.info("Attention reads similarity alone: %s.", reason)
    return {}
