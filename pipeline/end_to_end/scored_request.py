"""One request for a person to look at: a user's history and the best of many candidates."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from features.embeddings.embedding_set import EmbeddingSet
from features.ids import id_table
from features.records import example, record_files, requests
from features.records.requests import Arrays, RankingRequest
from features.schema import BEHAVIORS, CANDIDATES, ITEM_AXES, candidate_feature, context_feature
from models.inputs import shard_reading
from models.inputs.example_set import ExampleSet
from pipeline.tables.side_features import read_side_table
from serving_signatures import names
from serving_signatures.versions.loaded_version import LoadedVersion, inputs_of

_SHOWN = 10
_SEARCHED = 4096


def build(
    examples: ExampleSet, items: Sequence[str], titles: Mapping[int, str], candidates: int
) -> RankingRequest:
    """Takes the longest history among the first test records and draws candidates for it.

    Args:
      examples: the data set.
      items: the items' side features, as the join read them.
      titles: title by item id; candidates are drawn from these.
      candidates: C; drawn again from the same items where there are fewer.
    """
    shards = examples.shards("test")
    records = record_files.read_all(shards).take(_SEARCHED).batch(_SEARCHED)
    with shard_reading.guarded(examples, shards):
        parsed = example.parse_examples(examples.schema, next(iter(records)))
    batch = {name: tensor.numpy() for name, tensor in parsed.items()}
    row = int(np.argmax(batch[BEHAVIORS.mask].sum(axis=1)))
    one = {name: value[row : row + 1] for name, value in batch.items()}
    (found,) = requests.unpad(one, examples.schema.labels)
    rng = np.random.default_rng(0)
    unseen = np.setdiff1d(np.fromiter(titles, np.int64), found.history_item_id)
    drawn = rng.choice(unseen, candidates, replace=len(unseen) < candidates)
    table = read_side_table(
        items,
        "item_id",
        tuple(side.name for side in examples.schema.item_features if side.kind != "running"),
        {},
    )
    rows = id_table.positions(drawn, table.ids)
    features = {
        name: value
        for name, value in found.features.items()
        if name.startswith((BEHAVIORS.prefix, context_feature("")))
    }
    for side in examples.schema.item_features:
        name = candidate_feature(side.name)
        running = side.kind == "running"
        features[name] = _latest(batch, name, drawn) if running else table.values[side.name][rows]
    return dataclasses.replace(found, candidate_item_id=drawn, features=features, labels={})


def call(
    function: Callable[..., dict[str, tf.Tensor]], request: RankingRequest
) -> Callable[[], dict[str, np.ndarray]]:
    """Returns a call of `score_request` on the request, which has all that the model reads."""
    inputs = inputs_of(function, requests.pad([request]))
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    return lambda: {name: tensor.numpy() for name, tensor in function(**tensors).items()}


def score(
    saved_model: str,
    request: RankingRequest,
    titles: Mapping[int, str],
    embeddings: Mapping[str, EmbeddingSet],
    label: str,
) -> dict[str, Any]:
    """Scores the request with a published SavedModel.

    Args:
      saved_model: `<export_dir>/<version>`.
      request: what to score.
      titles: title by item id.
      embeddings: embedding set by modality, for a model that wants vectors in the request.
      label: the name of the prediction.

    Returns:
      `user`, the latest of `history` and the best of the candidates, `top`, by title.
    """
    batch = requests.pad([request])
    batch |= {
        axis.feature(names.vector(modality)): one.vectors(batch[axis.item_id])
        for axis in ITEM_AXES
        for modality, one in embeddings.items()
    }
    probability = LoadedVersion.open(saved_model).call(names.SCORE_REQUEST, batch)[label][0]
    best = [int(index) for index in np.argsort(-probability, kind="stable")[:_SHOWN]]
    behaviors = zip(request.history_item_id, request.history_type, strict=True)
    return {
        "user": str(request.user_id),
        "candidates": len(probability),
        "history": [
            {"title": _title(titles, item), "type": label if kind else f"not {label}"}
            for item, kind in reversed(list(behaviors)[-_SHOWN:])
        ],
        "top": [
            {
                "title": _title(titles, request.candidate_item_id[index]),
                "probability": float(probability[index]),
            }
            for index in best
        ],
    }


def _latest(batch: Arrays, name: str, items: np.ndarray) -> np.ndarray:
    """Returns the latest values of `[C]` items in parsed records, `[C, K]`, zeros for others."""
    mask = batch[CANDIDATES.mask]
    times = np.broadcast_to(batch["timestamp"][:, None], mask.shape)[mask]
    order = np.argsort(-times, kind="stable")
    ids, first = np.unique(batch[CANDIDATES.item_id][mask][order], return_index=True)
    values = batch[name][mask][order][first]
    padded = np.concatenate([values, np.zeros_like(values[:1])])
    return padded[id_table.positions(items, ids)]


def _title(titles: Mapping[int, str], item_id: Any) -> str:
    return titles.get(int(item_id), f"item {item_id}")
