"""One model trained once and scored on one split.

The output folder holds `predictions.npz` and, written last, `result.json`. A trial that is to
score the validation split is given a data set without its test split, so that it cannot see it.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from benchmarks.ranking_study import gradient_boosting, popularity, quality_protocol
from features.embeddings import embedding_set
from features.schema import STRICT
from models.evaluation import metrics, scoring
from models.evaluation.scoring import Scored
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import fit
from models.training.config import TrainingConfig
from pipeline.runtime import json_file

RESULT, PREDICTIONS = "result.json", "predictions.npz"


@dataclass(frozen=True, config=STRICT)
class Task:
    """One trial.

    Attributes:
      examples: folder of the joined data set.
      model: a name of `models.factory`, or `gradient_boosting` or `popularity`.
      evaluate: the split to score, `validation` or `test`.
      seed: of initial values, order and drop-out.
      model_settings: fields of `ModelConfig` besides the name.
      training_settings: fields of `TrainingConfig` besides the seed.
      boosting_settings: LightGBM's parameters besides `gradient_boosting.PARAMETERS`.
      embeddings: embedding set by modality, for models that read vectors.
      cache: folder for what trials on the same records may share.
    """

    examples: str
    model: str
    evaluate: str
    seed: int
    model_settings: dict[str, Any] = Field(default_factory=dict)
    training_settings: dict[str, Any] = Field(default_factory=dict)
    boosting_settings: dict[str, Any] = Field(default_factory=dict)
    embeddings: dict[str, str] = Field(default_factory=dict)
    cache: str | None = None


def run(task: Task, folder: str) -> dict[str, Any]:
    """Trains, scores, and writes predictions and result.

    Args:
      task: what to do.
      folder: receives the files.

    Returns:
      The result: metrics of the scored split, the number of parameters and seconds.
    """
    examples = ExampleSet.open(task.examples)
    if task.evaluate != "test":
        examples = without_split(examples, "test")
    os.makedirs(folder, exist_ok=True)
    started = time.perf_counter()
    train = _REFERENCES.get(task.model, _neural)
    scored, details = train(task, examples, folder)
    figures = metrics.summarize(scored.label, scored.probability, scored.user_id)
    result = {"metrics": figures, **details, "seconds": time.perf_counter() - started}
    names = ("user_id", "item_id", "label", "probability")
    np.savez(os.path.join(folder, PREDICTIONS), **{name: getattr(scored, name) for name in names})
    json_file.write(os.path.join(folder, RESULT), result)
    return result


def without_split(examples: ExampleSet, split: str) -> ExampleSet:
    """Returns a data set whose manifest lacks one of its splits.

    Opening the split's shards raises the error that there are no such records.

    Args:
      examples: the data set.
      split: to hide.
    """
    splits = {name: values for name, values in examples.manifest["splits"].items() if name != split}
    return dataclasses.replace(examples, manifest={**examples.manifest, "splits": splits})


def _neural(task: Task, examples: ExampleSet, folder: str) -> tuple[Scored, dict[str, Any]]:
    model_config = TypeAdapter(ModelConfig).validate_python(
        {**task.model_settings, "name": task.model}
    )
    config = TypeAdapter(TrainingConfig).validate_python(
        {**task.training_settings, "seed": task.seed}
    )
    extra: dict[str, Any] = {}
    if quality_protocol.reads_vectors(task.model):
        extra["embeddings"] = {
            name: embedding_set.read_embedding_set(location)
            for name, location in task.embeddings.items()
        }
    model, _ = fit.train(examples, model_config, config, os.path.join(folder, "model"), **extra)
    parameters = sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    return scoring.score(model, examples, task.evaluate), {"parameters": parameters}


_REFERENCES: Mapping[str, Callable[[Task, ExampleSet, str], tuple[Scored, dict[str, Any]]]] = {
    "gradient_boosting": lambda task, examples, folder: gradient_boosting.train(
        examples, task.evaluate, task.boosting_settings, task.seed, task.cache or folder
    ),
    "popularity": lambda task, examples, folder: popularity.score(examples, task.evaluate),
}
