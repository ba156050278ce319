"""Scores a split with a trained model, and computes metrics overall and by slice."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from features.ids import id_table
from features.records import example, record_files
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    CANDIDATE_SAMPLE_WEIGHT,
    HISTORY_MASK,
    USER_ID,
    similarity_feature,
)
from models.evaluation import metrics
from models.inputs import input_pipeline, shard_reading
from models.inputs.batch import Batch
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel

_HISTORY_EDGES = (0, 1, 5, 20, 50)
_COLDNESS_EDGES = (0, 1, 10, 100)
_LEAST = np.finfo(np.float32).tiny

Predict = Callable[[tf.Tensor, Batch], Mapping[str, tf.Tensor]]
"""Gives probabilities `[R, C]` by label, of serialized records `[R]` and what they parse to."""


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Predictions of a label beside its values, `[N]` each.

    Attributes:
      label: float32, 0 or 1.
      probability: float32.
    """

    label: np.ndarray
    probability: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scored:
    """Every candidate of a split with its prediction, `[N]` each.

    Attributes:
      user_id: int64.
      item_id: int64.
      label: float32, 0 or 1, the main one.
      probability: float32.
      history_length: int64, behaviors of the request.
      known_similarity: by modality bool, whether the similarity to any behavior is known; False
        for candidates without an embedding and for empty histories.
      conversions: the prediction of the conversion label, by its name; empty without one.
      stands_for: float64, how many candidates of the log each stands for, where the split lacks
        negatives; None where it is the log.
      weight: float32, of the records; None where they have none.
    """

    user_id: np.ndarray
    item_id: np.ndarray
    label: np.ndarray
    probability: np.ndarray
    history_length: np.ndarray
    known_similarity: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    conversions: Mapping[str, Prediction] = dataclasses.field(default_factory=dict)
    stands_for: np.ndarray | None = None
    weight: np.ndarray | None = None


def score(model: RankingModel, examples: ExampleSet, split: str) -> Scored:
    """Scores every candidate of a split.

    Args:
      model: a trained model.
      examples: the data set.
      split: such as `test`.
    """

    def predict(records: tf.Tensor, batch: Batch) -> dict[str, tf.Tensor]:
        del records
        return {name: tf.sigmoid(one) for name, one in model.logits_by_label(batch).items()}

    return score_by(predict, model.label, examples, split)


def score_by(
    predict: Predict,
    label: str,
    examples: ExampleSet,
    split: str,
    batch_candidates: int = input_pipeline.EVALUATION_CANDIDATES,
) -> Scored:
    """Scores every candidate of a split with whatever predicts.

    Args:
      predict: traced once; gives the main label and at most those of conversions.
      label: the main one.
      examples: the data set.
      split: such as `test`.
      batch_candidates: candidates in a batch, which the order of the result depends on.
    """
    batches = input_pipeline.serialized_batches(examples, split, batch_candidates)
    modalities, sampled = examples.schema.modality_names, examples.downsampling(split)

    @tf.function(input_signature=batches.element_spec, autograph=False)
    def scored(records: tf.Tensor, batch: Batch) -> dict[str, Any]:
        mask = batch[CANDIDATE_MASK]
        shape = tf.shape(mask)
        length = tf.reduce_sum(tf.cast(batch[HISTORY_MASK], tf.int64), axis=1)
        probabilities = dict(predict(records, batch))
        columns = {
            "user_id": tf.broadcast_to(batch[USER_ID][:, None], shape),
            "item_id": batch[CANDIDATE_ITEM_ID],
            "label": batch[label],
            "probability": probabilities.pop(label),
            "history_length": tf.broadcast_to(length[:, None], shape),
            "known_similarity": {
                name: tf.reduce_any(batch[similarity_feature(name)] > 0, axis=2)
                for name in modalities
            },
            "conversions": {name: (batch[name], joint) for name, joint in probabilities.items()},
        }
        if sampled is not None:
            columns["stands_for"] = batch[sampled.label]
        if examples.schema.weighted:
            columns["weight"] = batch[CANDIDATE_SAMPLE_WEIGHT]
        return tf.nest.map_structure(lambda column: tf.boolean_mask(column, mask), columns)

    with shard_reading.guarded(examples, examples.paths(split)):
        parts = [scored(*batch) for batch in batches]
    columns = tf.nest.map_structure(lambda *column: np.concatenate(column), *parts)
    examples.check_candidates(split, len(columns["label"]))
    conversions = {name: Prediction(*pair) for name, pair in columns.pop("conversions").items()}
    if sampled is not None:
        columns["stands_for"] = np.where(columns["stands_for"] > 0, 1.0, 1 / sampled.rate)
    return Scored(**columns, conversions=conversions)


def train_counts(examples: ExampleSet) -> tuple[np.ndarray, np.ndarray]:
    """Returns the item ids of the train split's candidates, and the occurrences of each."""
    shards = examples.shards("train")
    records = record_files.read_all(shards).batch(4096)
    with shard_reading.guarded(examples, shards):
        ids = [batch.numpy() for batch in records.map(example.candidate_item_ids)]
    candidates = np.concatenate(ids)
    examples.check_candidates("train", len(candidates))
    return np.unique(candidates, return_counts=True)


def evaluate(scored: Scored, counts: tuple[np.ndarray, np.ndarray]) -> dict[str, object]:
    """Returns metrics over all candidates and by slice.

    Where negatives were left out, each that is there counts as often as it stands for: metrics
    are those of the whole log. The records' weights are in `weighted` alone.

    Args:
      scored: what `score` returned.
      counts: what `train_counts` returned.

    Returns:
      The figures of `metrics.summarize`; `weighted`, the same by the records' weights, if there
      are any, None where all are 0; `calibration_curve`; `slices`, lists of named slices with
      their metrics, by history length, by occurrences of the item in the train split, and per
      modality by whether similarity is `known` or `unknown` (over requests with behaviors); and
      `labels`, by the conversion label's name if there is one: the figures of pCTCVR over all
      candidates, and `of_positives`, those of pCVR over the main label's positives, None without
      any.
    """
    main = Prediction(scored.label, scored.probability)
    return {
        **_figures(scored, main),
        "calibration_curve": metrics.calibration_curve(
            scored.label, scored.probability, weights=scored.stands_for
        ),
        "labels": {
            name: _conversion_metrics(scored, one) for name, one in scored.conversions.items()
        },
        "slices": {
            by: [
                {"slice": name, **_figures(scored, main, chosen)}
                for name, chosen in named.items()
                if chosen.any()
            ]
            for by, named in slices(scored, counts).items()
        },
    }


def slices(
    scored: Scored, counts: tuple[np.ndarray, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """Returns which candidates are in each slice, `[N]` bool by slicing and name of the slice.

    Args:
      scored: what `score` returned.
      counts: what `train_counts` returned.
    """
    items, occurrences = counts
    shown = np.append(occurrences, 0)[id_table.positions(scored.item_id, items)]
    return {
        "history_length": _ranges(scored.history_length, _HISTORY_EDGES),
        "item_train_count": _ranges(shown, _COLDNESS_EDGES),
        **{
            similarity_feature(name): {
                "known": known,
                "unknown": ~known & (scored.history_length > 0),
            }
            for name, known in scored.known_similarity.items()
        },
    }


def _conversion_metrics(scored: Scored, conversion: Prediction) -> dict[str, object]:
    """Returns the metrics of pCTCVR over all, and of pCVR over positives of the main label."""
    positive = scored.label > 0
    rate = conversion.probability / np.maximum(scored.probability, _LEAST)
    given = Prediction(conversion.label, np.minimum(rate, 1))
    return {
        **_figures(scored, conversion),
        "of_positives": _figures(scored, given, positive) if positive.any() else None,
    }


def _figures(
    scored: Scored, prediction: Prediction, chosen: np.ndarray | slice = slice(None)
) -> dict[str, object]:
    """Returns the metrics of some candidates, all by default, and those by weight if any."""
    columns = (prediction.label[chosen], prediction.probability[chosen], scored.user_id[chosen])
    counts = None if scored.stands_for is None else scored.stands_for[chosen]
    figures = metrics.summarize(*columns, counts)
    if scored.weight is None:
        return figures
    weight = scored.weight[chosen] * (1 if counts is None else counts)
    counted = weight > 0
    if not counted.any():
        return {**figures, "weighted": None}
    label, probability, user = (one[counted] for one in columns)
    weighted = metrics.summarize(label, probability, user, weight[counted])
    return {**figures, "weighted": weighted}


def _ranges(values: np.ndarray, edges: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {
        _name(low, high): (values >= low) & (True if high is None else values < high)
        for low, high in zip(edges, (*edges[1:], None), strict=True)
    }


def _name(low: int, high: int | None) -> str:
    if high is None:
        return f"{low}+"
    return str(low) if high == low + 1 else f"{low}-{high - 1}"
