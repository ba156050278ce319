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

from benchmarks.ranking_study import candidate_columns, gradient_boosting, quality_protocol
from features.embeddings import embedding_set
from features.ids import id_table
from features.schema import STRICT
from models.evaluation import metrics, scoring
from models.evaluation.scoring import Scored
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import fit
from models.training.config import TrainingConfig
from pipeline.runtime import json_file

RESULT, PREDICTIONS = "result.json", "predictions.npz"
_PRIOR_STRENGTH = 20.0
"""Number of an item's candidates at which its own rate has half the weight."""


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
    """Trains, scores, and writes predictions and result into a folder.

    Returns:
      The result: metrics of the scored split, the number of parameters, seconds, and `trained` of
      what learns in steps: `amount` and `best` of a `unit`, and the `reason` why it ended.
    """
    examples = ExampleSet.open(task.examples)
    if task.evaluate != "test":
        examples = without_split(examples, "test")
    os.makedirs(folder, exist_ok=True)
    started, used = time.perf_counter(), time.process_time()
    train = _REFERENCES.get(task.model, _neural)
    scored, details = train(task, examples, folder)
    figures = metrics.summarize(scored.label, scored.probability, scored.user_id)
    spent = {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - used,
    }
    result = {"metrics": figures, **details, **spent}
    names = ("user_id", "item_id", "label", "probability")
    np.savez(os.path.join(folder, PREDICTIONS), **{name: getattr(scored, name) for name in names})
    json_file.write(os.path.join(folder, RESULT), result)
    return result


def without_split(examples: ExampleSet, split: str) -> ExampleSet:
    """Returns a data set without a split; opening its shards raises that there are no records."""
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
    if quality_protocol.reads_vectors(task.model) != "never":
        extra["embeddings"] = {
            name: embedding_set.read_embedding_set(location)
            for name, location in task.embeddings.items()
        }
    output = os.path.join(folder, "model")
    model, figures = fit.train(examples, model_config, config, output, **extra)
    stopped = figures["stopped"]
    details = {
        "parameters": sum(int(np.prod(one.shape)) for one in model.trainable_variables),
        "trained": {
            "unit": "passes",
            "amount": stopped["passes"],
            "best": stopped["best_passes"],
            "reason": stopped["reason"],
        },
    }
    return scoring.score(model, examples, task.evaluate), details


def _popularity(task: Task, examples: ExampleSet, _: str) -> tuple[Scored, dict[str, Any]]:
    """Scores candidates by their item's rate in train, shrunken towards the rate of all items."""
    train, scored = (candidate_columns.collect(examples, one) for one in ("train", task.evaluate))
    items, position = np.unique(train["item_id"], return_inverse=True)
    count = np.append(np.bincount(position), 0)
    positives = np.append(np.bincount(position, train["label"]), 0)
    prior = train["label"].mean()
    rate = (positives + _PRIOR_STRENGTH * prior) / (count + _PRIOR_STRENGTH)
    probability = rate[id_table.positions(scored["item_id"], items)]
    return candidate_columns.scored(scored, probability), {"parameters": len(items)}


_REFERENCES: Mapping[str, Callable[[Task, ExampleSet, str], tuple[Scored, dict[str, Any]]]] = {
    quality_protocol.BOOSTING: lambda task, examples, folder: gradient_boosting.train(
        examples, task.evaluate, task.boosting_settings, task.seed, task.cache or folder
    ),
    quality_protocol.POPULARITY: _popularity,
}
