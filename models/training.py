"""Fits a model: validation selects, the best weights stay."""

import csv
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras
from absl import logging

from features import manifest, storage
from features.embedding_set import EmbeddingSet
from models import (
    candidate_mixing,
    entire_space,
    factory,
    input_pipeline,
    optimizers,
    trained_model,
    warm_start,
)
from models.example_set import ExampleSet
from models.model_config import ModelConfig
from models.ranking_model import RankingModel
from models.training_config import TrainingConfig

_ADAPT_BATCHES = 64
"""Batches of 1,024 candidates: some users' whole sequences, spread over the train split."""


def train(
    examples: ExampleSet,
    model_config: ModelConfig,
    config: TrainingConfig,
    folder: str,
    embeddings: Mapping[str, EmbeddingSet] | None = None,
    start: str | None = None,
) -> tuple[RankingModel, dict[str, Any]]:
    """Trains on the train split and keeps the weights that are best on validation.

    Args:
      examples: the data set.
      model_config: what to train.
      config: how to train it.
      folder: receives the model (`trained_model`), `tensorboard/` and, while it runs,
        `backup/`, from which the same run, killed, goes on after its last evaluation; the rest
        of that pass then starts again from the first records.
      embeddings: frozen vectors by modality, for models that read them.
      start: folder of an earlier model to start from (`warm_start`); None for initial values.

    Returns:
      The model with its best weights, and `steps`, `seconds`, `candidates_per_second` and
      `history`, a list with the metrics of every evaluation.

    Raises:
      UserInputError: the model does not fit the records.
    """
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    vocabulary = None if model_config.hashed_buckets else examples.vocabulary()
    model = factory.build_model(model_config, examples.schema, vocabulary, embeddings)
    if model.conversion_label is not None:
        positives = examples.manifest["splits"]["train"].get("positives", {})
        entire_space.check_positives(model.conversion_label, model.label, positives)
    sample = input_pipeline.evaluation_batches(examples, "train").take(_ADAPT_BATCHES)
    model.adapt(sample)
    if start is not None:
        warm_start.warm_start(model, trained_model.read_trained_model(start)).log(start)
    batches, total = _training_batches(examples, config)
    validation = input_pipeline.evaluation_batches(examples, "validation")
    steps = -(-total // config.evaluations_per_epoch)
    all_steps = steps * config.evaluations_per_epoch * config.epochs
    model.compile(optimizer=optimizers.build_optimizer(model, config, all_steps))
    backup = os.path.join(folder, "backup", _fingerprint(examples, start, model_config, config))
    best = os.path.join(backup, "best", "weights")
    log = os.path.join(backup, "evaluations.csv")
    earlier = _rows(log, steps) if os.path.isdir(os.path.join(backup, "last")) else []
    if earlier:
        logging.info("Going on after step %d of a run that did not end.", earlier[-1]["step"])
    elif start is None:
        model.pretrain(batches, config.learning_rate)
    os.makedirs(backup, exist_ok=True)
    progress = _Progress(steps, all_steps)
    callbacks = [
        keras.callbacks.ModelCheckpoint(
            best,
            monitor="val_auc",
            mode="max",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=max((row["val_auc"] for row in earlier), default=None),
        ),
        keras.callbacks.TensorBoard(os.path.join(folder, "tensorboard"), write_graph=False),
        keras.callbacks.CSVLogger(log, append=bool(earlier)),
        progress,
        # After the others: what it restores, they have recorded.
        keras.callbacks.BackupAndRestore(os.path.join(backup, "last")),
    ]
    if config.patience:
        callbacks.append(
            keras.callbacks.EarlyStopping("val_auc", mode="max", patience=config.patience)
        )
    model.fit(
        batches.repeat(),
        steps_per_epoch=steps,
        epochs=config.epochs * config.evaluations_per_epoch,
        validation_data=validation,
        callbacks=callbacks,
        verbose=0,
    )
    model.load_weights(best).expect_partial()
    shown = examples.candidates_per_record("train")
    per_batch = sum(candidates * records for candidates, records in shown.items()) / total
    figures = {**progress.figures(per_batch), "history": _rows(log, steps)}
    trained_model.write_trained_model(folder, model, figures)
    tf.io.gfile.rmtree(os.path.join(folder, "backup"))
    return model, figures


def _training_batches(examples: ExampleSet, config: TrainingConfig) -> tuple[tf.data.Dataset, int]:
    """Returns one pass over the train split, and how many batches it has."""
    size, seed = config.batch_candidates, config.seed
    batches = input_pipeline.training_batches(examples, "train", size, config.shuffle_buffer, seed)
    if config.batches_of == "requests":
        return batches, input_pipeline.count_batches(examples, "train", size)
    mixed = candidate_mixing.mix_candidates(batches, examples.schema, size, seed)
    return mixed, candidate_mixing.count_mixed_batches(examples, "train", size)


class _Progress(keras.callbacks.Callback):
    """Logs each evaluation with rate and time left, and counts candidates."""

    def __init__(self, steps_per_evaluation: int, steps: int) -> None:
        super().__init__()
        self._steps_per_evaluation = steps_per_evaluation
        self._steps = steps
        self._done = 0
        self._training_seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock, which stands still while the validation split is scored."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Starts it again after the first step, which traces; stops it before an evaluation."""
        self._done += 1
        if self._done == 1:
            self._started = time.perf_counter()
        if batch + 1 == self._steps_per_evaluation:
            self._training_seconds += time.perf_counter() - self._started

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Logs one line."""
        figures = logs or {}
        rate = self._rate()
        done = (epoch + 1) * self._steps_per_evaluation
        logging.info(
            "train %3.0f%%  step %d/%d  logloss %.4f  auc %.4f  validation logloss %.4f  auc %.4f  "
            "%.0f steps/s  %.0f s left",
            100 * done / self._steps,
            done,
            self._steps,
            figures["logloss"],
            figures["auc"],
            figures["val_logloss"],
            figures["val_auc"],
            rate,
            (self._steps - done) / rate,
        )

    def figures(self, batch_candidates: float) -> dict[str, float]:
        """Returns steps, seconds in them without the first, and candidates per second."""
        return {
            "steps": self._done,
            "seconds": self._training_seconds,
            "candidates_per_second": self._rate() * batch_candidates,
        }

    def _rate(self) -> float:
        """Returns steps per second, without the first, which traces."""
        return max(1, self._done - 1) / max(self._training_seconds, 1e-9)


def _rows(log: str, steps: int) -> list[dict[str, float]]:
    """Reads what Keras logged: one dictionary an evaluation, the last where one was repeated."""
    rows = {}
    with open(log, newline="") as file:
        for row in csv.DictReader(file):
            values = {name: float(value) for name, value in row.items()}
            step = steps * (int(values.pop("epoch")) + 1)
            rows[step] = {"step": step, **values}
    return [rows[step] for step in sorted(rows)]


def _fingerprint(
    examples: ExampleSet, start: str | None, *configs: ModelConfig | TrainingConfig
) -> str:
    """Returns a name for this very run, so that no other run's backup is resumed."""
    earlier = (
        None if start is None else manifest.file_sha256(storage.join(start, manifest.FILE_NAME))
    )
    parts = [examples.identity(), earlier, *map(dataclasses.asdict, configs)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
