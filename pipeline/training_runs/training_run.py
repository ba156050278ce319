"""Scores a trained model and records its metrics, provenance and report in its folder."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from absl import logging

from features.embeddings.embedding_set import EmbeddingSet
from features.files import manifest, storage
from models.evaluation import attention_mass, diagnostics, scoring
from models.inputs import input_pipeline, shard_reading
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel
from pipeline.report.formats import model_name
from pipeline.report.page import render
from pipeline.runtime import environment
from pipeline.training_runs import run_config, run_folder, run_metrics
from pipeline.training_runs.run_config import RunConfig

_SPLIT = "validation"
_LOOKED_AT_BATCHES = 8


@dataclass(frozen=True)
class Origin:
    """Command, time and code of a training, taken before it starts; see `run_folder.Run`."""

    command: str
    arguments: Sequence[str]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    code: Mapping[str, str] = field(default_factory=environment.code)
    patch: str = field(default_factory=environment.uncommitted)


def record(
    folder: str,
    model: RankingModel,
    examples: ExampleSet,
    config: RunConfig,
    embeddings: Mapping[str, EmbeddingSet],
    origin: Origin,
    splits: Sequence[str] = (_SPLIT,),
) -> dict[str, dict[str, Any]]:
    """Scores splits with a trained model, and writes its run folder, local, and report.

    Returns:
      Figures of `models.evaluation.scoring.evaluate` by split.
    """
    counts = scoring.train_counts(examples)
    metrics = {
        split: scoring.evaluate(scoring.score(model, examples, split), counts) for split in splits
    }
    # Read here: an error of the data is the job's, one of a diagnostic is not.
    with shard_reading.guarded(examples, examples.paths(_SPLIT)):
        sample = list(input_pipeline.evaluation_batches(examples, _SPLIT).take(_LOOKED_AT_BATCHES))
    unknown: dict[str, dict[str, list]] = {}
    effect = diagnostics.attempt("bucket effect", model.bucket_effect, unknown)
    mass = diagnostics.attempt(
        "attention mass", lambda: attention_mass.measure(model, sample), unknown
    )
    attention = {"split": _SPLIT, "bucket_effect": effect, "attention_mass": mass}
    source = examples.folder
    run = run_folder.Run(
        label=model.label,
        command=origin.command,
        directory=os.getcwd(),
        arguments=tuple(origin.arguments),
        started=_moment(origin.started),
        finished=_moment(datetime.now(UTC)),
        examples=source if storage.is_remote(source) else os.path.abspath(source),
        data_fingerprint=examples.fingerprint,
        embeddings={name: one.fingerprint for name, one in embeddings.items()},
        environment=environment.versions(),
        variables=environment.variables(),
        code=dict(origin.code),
    )
    run_folder.write(folder, run, config, examples.manifest, attention, metrics, origin.patch)
    _attempt_report(folder, "Report %s")
    return metrics


def add_metrics(folder: str, examples: ExampleSet, split: str, metrics: Mapping[str, Any]) -> None:
    """Adds the metrics of a split to the folder and the report of the run that trained the model.

    Does nothing for a folder that is no run. Logs a warning, and changes nothing, where the folder
    is read-only or the examples are not those of the run.
    """
    if storage.is_remote(folder) or not run_folder.holds_run(folder):
        return
    if not os.access(folder, os.W_OK):
        logging.warning("%s may not be written: its report is without the %s split.", folder, split)
        return
    expected = run_folder.read(folder).data_fingerprint
    if examples.fingerprint != expected:
        logging.warning(
            "%s was trained on examples %s, these are %s: its report is left as it is.",
            folder,
            expected,
            examples.fingerprint,
        )
        return
    run_metrics.write(folder, split, metrics)
    _attempt_report(folder, f"Added the {split} split to %s")


def write_report(folder: str) -> None:
    """Writes `report.html`: data, curves, metrics of each scored split, attention, reproduction.

    Raises:
      UserInputError: the folder is not of a finished run.
    """
    run, config = run_folder.read(folder), run_folder.read_config(folder)
    model, trained = config["model"]["name"], run_folder.read_json(folder, manifest.FILE_NAME)
    data: dict[str, Any] = {
        "title": f"Training of {model_name(model)}",
        "label": run.label,
        "manifest": run_folder.read_json(folder, "data_manifest.json"),
        "training": {model: trained["training"]},
        "metrics": run_metrics.read(folder),
        **run_folder.read_json(folder, "attention.json"),
        "run": {
            "folder": os.path.abspath(folder),
            "started": run.started,
            "finished": run.finished,
            "examples": run.examples,
            "data fingerprint": run.data_fingerprint,
            "schema fingerprint": trained["schema_fingerprint"],
            "vectors given": run.embeddings or "none, similarity codes alone",
            "code": run.code,
            "uncommitted changes": run_folder.PATCH if run_folder.has_patch(folder) else "none",
        },
        "changed_settings": run_config.changed(config),
        "config": config,
        "environment": {**run.environment, **run.variables},
        "command": run.command,
    }
    render(data, os.path.join(folder, run_folder.REPORT))


def _attempt_report(folder: str, done: str) -> None:
    def write() -> None:
        write_report(folder)
        logging.info(done, os.path.join(folder, run_folder.REPORT))

    diagnostics.attempt(run_folder.REPORT, write, None)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
