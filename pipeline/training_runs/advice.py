"""Which path carries a trained model, for whom, and whether a simpler model would do."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models import trained_model
from models.evaluation import ablation, content_relation, contributions, scoring
from models.evaluation.scoring import Scored
from models.inputs import input_pipeline, shard_reading
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel
from pipeline.report import formats
from pipeline.training_runs import findings

_LOOKED_AT_BATCHES = 16


def measure(
    model: RankingModel,
    examples: ExampleSet,
    split: str,
    scored: Scored,
    counts: tuple[np.ndarray, np.ndarray],
    baselines: Mapping[str, RankingModel],
    latencies: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Measures what each path of a model carries, and compares it with models beside it.

    Args:
      model: a trained model.
      examples: the data set.
      split: such as `test`.
      scored: what `scoring.score` returned for the model.
      counts: what `scoring.train_counts` returned.
      baselines: other models trained on the same records, by name.
      latencies: of one request, by name of the model.

    Returns:
      What `contributions.measure` returned; the `model`'s name, and which of `others` are
      `baselines`; `content`, by modality the number of `pairs` of candidate and behavior in the
      data set, how many are `known`, how many similarities are `distinct`, and the figures of
      `content_relation`; and `findings`, sentences.
    """
    without = ablation.score(model, examples, split, scored.probability)
    beside = {
        name: scoring.score(one, examples, split).probability for name, one in baselines.items()
    }
    found = contributions.measure(scored, {**without, **beside}, scoring.slices(scored, counts))
    content = _content(model, examples, split) if model.modalities else {}
    figures = {
        "model": model.config.name,
        "baselines": list(beside),
        "content": content,
        **found,
    }
    return {**figures, "findings": [*findings.of(figures, latencies or {})]}


def read_baselines(
    folders: Sequence[str], model: RankingModel, examples: ExampleSet
) -> dict[str, RankingModel]:
    """Reads models to compare with, by `model.name`, or by folder where two have the same.

    Raises:
      UserInputError: a folder holds no model, or one of another schema.
    """
    found: dict[str, RankingModel] = {}
    for folder in folders:
        one = trained_model.read_trained_model(folder)
        trained_model.check_schema(one, examples)
        name = one.config.name
        taken = name == model.config.name or name in found
        found[os.path.normpath(folder) if taken else name] = one
    return found


def _content(model: RankingModel, examples: ExampleSet, split: str) -> dict[str, dict[str, Any]]:
    """Returns by modality what the data say of its content, whatever the model learned."""
    with shard_reading.guarded(examples, examples.paths(split)):
        sample = list(input_pipeline.evaluation_batches(examples, split).take(_LOOKED_AT_BATCHES))
    found: dict[str, dict[str, Any]] = {}
    for modality in model.modalities:
        values: dict[str, Any] = {}
        counted = formats.mapping(examples.manifest, "similarity", modality.name)
        if counted:
            codes = np.sum(list(counted.values()), axis=0)
            values["pairs"], values["known"] = int(codes.sum()), int(codes[1:].sum())
            values["distinct"] = int(np.count_nonzero(codes[1:]))
        relation = None
        if modality.candidate_embedding:
            relation = content_relation.measure(sample, model.label, modality.name)
        if relation is not None:
            values |= dataclasses.asdict(relation)
        found[modality.name] = values
    return found
