"""One request for a person to look at: a user's history and the best of many candidates."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from features.embeddings.embedding_set import EmbeddingSet
from features.ids import id_table
from features.records import example
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    HISTORY_ITEM_ID,
    HISTORY_MASK,
    HISTORY_TYPE,
    candidate_feature,
    context_feature,
)
from models.inputs.example_set import ExampleSet
from pipeline.tables.side_features import read_side_table
from serving_signatures import names

_SHOWN = 10
_SEARCHED = 4096


@dataclasses.dataclass(frozen=True)
class ScoredRequest:
    """The inputs of `score_request` for one user, and how to show them.

    Attributes:
      inputs: by name, `[1, ...]`; ids only.
      user_id: as in the record.
      titles: title by item id.
    """

    inputs: dict[str, np.ndarray]
    user_id: int
    titles: Mapping[int, str]

    @property
    def behaviors(self) -> int:
        """The number of behaviors, L."""
        return self.inputs[HISTORY_ITEM_ID].shape[1]


def build(
    examples: ExampleSet, items: str | None, titles: Mapping[int, str], candidates: int
) -> ScoredRequest:
    """Takes the longest history among the first test records and draws candidates for it.

    Args:
      examples: the data set.
      items: the items' side features, as the join read them.
      titles: title by item id; candidates are drawn from these.
      candidates: C; drawn again from the same items where there are fewer.
    """
    records = tf.data.TFRecordDataset(examples.shards("test")).take(_SEARCHED).batch(_SEARCHED)
    batch = example.parse_examples(examples.schema, next(iter(records)))
    lengths = batch[HISTORY_MASK].numpy().sum(axis=1)
    row = int(np.argmax(lengths))
    inputs = {
        name: batch[name].numpy()[row : row + 1, : lengths[row]]
        for name in (*examples.schema.history, HISTORY_MASK)
    }
    rng = np.random.default_rng(0)
    unseen = np.setdiff1d(np.fromiter(titles, np.int64), inputs[HISTORY_ITEM_ID])
    drawn = rng.choice(unseen, candidates, replace=len(unseen) < candidates)
    inputs[CANDIDATE_ITEM_ID] = drawn[None]
    inputs[CANDIDATE_MASK] = np.ones((1, candidates), bool)
    table = read_side_table(
        items,
        "item_id",
        tuple(side.name for side in examples.schema.item_features if side.kind != "running"),
        {},
    )
    rows = id_table.positions(drawn, table.ids)
    for side in examples.schema.item_features:
        name = candidate_feature(side.name)
        if side.kind == "running":
            inputs[name] = _latest(batch, name, drawn)[None]
        else:
            inputs[name] = table.values[side.name][rows][None]
    for side in examples.schema.context_features:
        inputs[context_feature(side.name)] = batch[context_feature(side.name)].numpy()[
            row : row + 1
        ]
    return ScoredRequest(inputs, int(batch["user_id"][row]), titles)


def call(
    function: Callable[..., dict[str, tf.Tensor]], request: ScoredRequest
) -> Callable[[], dict[str, np.ndarray]]:
    """Returns a call of `score_request` on the request, for a model with its tables inside."""
    tensors = {name: tf.constant(value) for name, value in request.inputs.items()}
    return lambda: {name: tensor.numpy() for name, tensor in function(**tensors).items()}


def score(
    saved_model: str,
    request: ScoredRequest,
    embeddings: Mapping[str, EmbeddingSet],
    label: str,
) -> dict[str, Any]:
    """Scores the request with a published SavedModel.

    Args:
      saved_model: `<export_dir>/<version>`.
      request: what to score.
      embeddings: embedding set by modality, for a model that wants vectors in the request.
      label: the name of the prediction.

    Returns:
      `user`, the latest of `history` and the best of the candidates, `top`, by title.
    """
    function = tf.saved_model.load(saved_model).signatures[names.SCORE_REQUEST]
    vectors_wanted = {names.history(names.vector(modality)) for modality in embeddings}
    if vectors_wanted & set(function.structured_input_signature[1]):
        request = dataclasses.replace(request, inputs=_with_vectors(request.inputs, embeddings))
    probability = call(function, request)()[label][0]
    ids = request.inputs[CANDIDATE_ITEM_ID][0]
    best = [int(index) for index in np.argsort(-probability, kind="stable")[:_SHOWN]]
    latest = range(request.behaviors - 1, max(-1, request.behaviors - 1 - _SHOWN), -1)
    history = request.inputs[HISTORY_ITEM_ID][0]
    types = request.inputs[HISTORY_TYPE][0]
    return {
        "user": str(request.user_id),
        "candidates": len(ids),
        "history": [
            {
                "title": _title(request, history[index]),
                "type": label if types[index] else f"not {label}",
            }
            for index in latest
        ],
        "top": [
            {"title": _title(request, ids[index]), "probability": float(probability[index])}
            for index in best
        ],
    }


def _latest(batch: Mapping[str, tf.Tensor], name: str, items: np.ndarray) -> np.ndarray:
    """Returns the latest values that some records say of items, `[C, K]`, zeros for others.

    Args:
      batch: parsed records.
      name: of a feature of the candidates.
      items: `[C]` int64.
    """
    mask = batch[CANDIDATE_MASK].numpy()
    times = np.broadcast_to(batch["timestamp"].numpy()[:, None], mask.shape)[mask]
    order = np.argsort(-times, kind="stable")
    ids, first = np.unique(batch[CANDIDATE_ITEM_ID].numpy()[mask][order], return_index=True)
    values = batch[name].numpy()[mask][order][first]
    padded = np.concatenate([values, np.zeros_like(values[:1])])
    return padded[id_table.positions(items, ids)]


def _with_vectors(
    inputs: dict[str, np.ndarray], embeddings: Mapping[str, EmbeddingSet]
) -> dict[str, np.ndarray]:
    """Adds the vectors of a request's items."""
    vectors = {
        side(names.vector(modality)): one.vectors(inputs[side("item_id")])
        for side in (names.candidate, names.history)
        for modality, one in embeddings.items()
    }
    return {**inputs, **vectors}


def _title(request: ScoredRequest, item_id: np.int64) -> str:
    return request.titles.get(int(item_id), f"item {item_id}")
