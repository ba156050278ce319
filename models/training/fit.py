"""Trains a model and keeps the weights with the best validation AUC."""

import dataclasses
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras
from absl import logging

from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.files import checked, manifest, storage
from kernels import library
from models import downsampling, entire_space, factory, trained_model
from models.inputs import input_pipeline, record_check, shard_reading
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.ranking_model import RankingModel
from models.training import distribution, execution, optimizers, tensorboard, warm_start
from models.training.averages import WeightAverages, steps_between_updates
from models.training.computed import calibration_fit, item_counts
from models.training.config import TrainingConfig
from models.training.guarded_callback import GuardedCallback
from models.training.loop import NonFiniteLossError, TrainingLoop
from models.training.passes import TrainingInput
from models.training.progress import Progress
from models.training.state import TrainingState

_ADAPT_BATCHES = 64
"""Batches of 1,024 candidates that input statistics are fitted to."""

_SAMPLE = 2
"""Batches of the validation split in which attention is measured, at every evaluation."""


def train(
    examples: ExampleSet,
    model_config: ModelConfig,
    config: TrainingConfig,
    folder: str,
    embeddings: Mapping[str, EmbeddingSet] | None = None,
    stop_requested: Callable[[], bool] = lambda: False,
    start: str | None = None,
) -> tuple[RankingModel, dict[str, Any]]:
    """Trains on the train split and keeps the weights with the best validation AUC.

    A run that was preempted or killed resumes from `folder/backup` at the batch after its last
    checkpoint. With `config.deterministic` it ends with the weights of an uninterrupted run.

    Args:
      examples: the data set.
      model_config: the model to train.
      config: batches, optimizers, evaluations.
      folder: receives the model (`trained_model`), `tensorboard/` and, during the run, `backup/`.
      embeddings: frozen vectors by modality, for models that read them.
      stop_requested: called after every batch; if it returns True, the state is saved and
        `StoppedError` raised.
      start: folder of an earlier model to start from (`warm_start`); None for initial values.

    Returns:
      The model with its best weights, and `steps`, `seconds`, `candidates_per_second`,
      `history`, a list with the metrics of every evaluation, and `stopped` (`budget.Stopped`).

    Raises:
      UserInputError: the model does not fit the records, or the loss is no longer finite.
      StoppedError: a stop was requested.
    """
    execution.set_threads(config)
    with execution.kernels(config):
        return _train(examples, model_config, config, folder, embeddings, stop_requested, start)


def _train(
    examples: ExampleSet,
    model_config: ModelConfig,
    config: TrainingConfig,
    folder: str,
    embeddings: Mapping[str, EmbeddingSet] | None,
    stop_requested: Callable[[], bool],
    start: str | None,
) -> tuple[RankingModel, dict[str, Any]]:
    """Returns what `train` does, with the process's settings made."""
    keras.utils.set_random_seed(config.seed)
    # Keras numbers layers per process, and their names are in a checkpoint: a second training of a
    # process would write other bytes than the same training alone.
    keras.backend.reset_uids()
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    vocabulary = None if model_config.hashed_buckets else examples.vocabulary()
    model = factory.build_model(model_config, examples.schema, vocabulary, embeddings)
    examples.check_label(model.label)
    if model.conversion_label is not None:
        # Too rare a conversion for the validation split still leaves something to learn.
        examples.check_label(model.conversion_label, splits=("train",))
        positives = examples.manifest["splits"]["train"].get("positives", {})
        entire_space.check_positives(model.conversion_label, model.label, positives)
        downsampling.check_conversions(model.label, model.conversion_label, examples.manifest)
    read = examples.paths("train") + examples.paths("validation")
    examples.verify(read)
    sample = input_pipeline.evaluation_batches(examples, "train").take(_ADAPT_BATCHES)
    with shard_reading.guarded(examples, read):
        model.adapt(sample)
    data = TrainingInput(examples, config)
    vectors = {name: (embeddings or {})[name].fingerprint for name in model.content_tables}
    fingerprint = _fingerprint(examples, start, vectors, model_config, config)
    state_folder = os.path.join(folder, "backup", fingerprint)
    model.compile(optimizer=optimizers.build_optimizer(model, config, data.steps))
    averages = None
    if config.averaging:
        every = steps_between_updates(data.steps_per_evaluation)
        averages = WeightAverages(model, config.averaging, every)
    state = TrainingState(state_folder, model, averages)
    own_folder = distribution.own_folder(folder)
    board_folder = os.path.join(own_folder, "tensorboard")
    if state.restore():
        logging.info("Resuming after step %d of an unfinished run.", state.step)
    else:
        if start is None:
            with shard_reading.guarded(examples, read):
                model.pretrain(data.one_pass, config.learning_rate)
        else:
            earlier = trained_model.read_trained_model(start)
            if _fingerprint(examples, start, vectors, model_config, config) != fingerprint:
                raise UserInputError(
                    f"--warm_start {start!r} was replaced while it was read. Run the same command "
                    "again to start from the model that is there now."
                )
            warm_start.warm_start(model, earlier).log(start)
        item_counts.fit_item_prior(model, examples)
        # The curves of an earlier training are not this one's.
        shutil.rmtree(board_folder, ignore_errors=True)
        state.save()
    progress = Progress(
        data.steps_per_evaluation,
        data.steps,
        seconds_left=config.max_seconds - state.seconds if config.max_seconds else math.inf,
        at_most=config.patience > 0,
    )
    shown = input_pipeline.evaluation_batches(examples, "validation").take(_SAMPLE)
    board = tensorboard.callbacks(board_folder, shown)
    callbacks = [*board, GuardedCallback("progress", progress)]
    try:
        with execution.settings(model, config), shard_reading.guarded(examples, read):
            loop = TrainingLoop(model, data, config, averages, callbacks, stop_requested)
            stopped = loop.run(state)
    except NonFiniteLossError as error:
        record = record_check.non_finite_record(examples, "train")
        remedy = (
            f"{record}: fix the log and join again."
            if record
            else "Every record is finite, so the steps are too large: lower "
            f"training.learning_rate, now {config.learning_rate}, or "
            f"training.bucket_learning_rate, now {config.bucket_learning_rate}."
        )
        _remove_backup(folder)  # The same training would fail again.
        raise UserInputError(f"{error} {remedy}") from error
    logging.info("%s", stopped.sentence)
    state.restore_best()
    calibration_fit.fit_calibration(model, examples)
    figures = {
        **progress.figures(data.candidates_per_batch),
        "history": state.history,
        "stopped": stopped.to_dict(),
    }
    trained_model.write_trained_model(own_folder, model, figures)
    distribution.wait_for_all()
    _remove_backup(folder)
    return model, figures


def _remove_backup(folder: str) -> None:
    if distribution.is_chief():
        tf.io.gfile.rmtree(os.path.join(folder, "backup"))


def _fingerprint(
    examples: ExampleSet,
    start: str | None,
    vectors: Mapping[str, str],
    *configs: ModelConfig | TrainingConfig,
) -> str:
    """Returns a name of this run's data and settings, so that only the same run is resumed."""
    earlier = None if start is None else checked.sha256(storage.join(start, manifest.FILE_NAME))
    # Kernels round otherwise than stock ops.
    native = library.ops() is not None
    parts = [examples.identity(), earlier, native, vectors, *map(dataclasses.asdict, configs)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
