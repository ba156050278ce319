"""Counts each item's candidates in the train split, for its prior."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from absl import logging

from features.records import example, record_files
from features.schema import CANDIDATE_ITEM_ID, CANDIDATE_SAMPLE_WEIGHT, USER_ID
from models.inputs import shard_reading
from models.inputs.example_set import ExampleSet
from models.layers import item_prior
from models.ranking_model import RankingModel

_RECORDS = 4096
"""Records that are counted at once."""


def fit_item_prior(model: RankingModel, examples: ExampleSet) -> None:
    """Sets a model's item prior from the train split; nothing in a model without one.

    It costs a pass that reads three features of each record. On several workers each one counts
    the whole split, so that all have the same.

    Args:
      model: its variables must exist; after a warm start the prior holds the earlier model's rates.
      examples: what it will be trained on.
    """
    if model.item_prior is None:
        return
    shape = (model.item_embedding.row_count, item_prior.GROUPS)
    positives, shown = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for cells, labels, weights in _candidates(model, examples):
        # Each cell once: an indexed addition counts repeated cells once only.
        distinct, places = np.unique(cells, return_inverse=True)
        positives.flat[distinct] += np.bincount(places, labels * weights)
        shown.flat[distinct] += np.bincount(places, weights)
    if not model.item_prior.fit(positives, shown):
        logging.info(
            "No item prior: more than half of the train split's candidates are of one group of "
            "users, so the others say too little about an item."
        )


def _candidates(
    model: RankingModel, examples: ExampleSet
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields cells of the counts, labels and weights of candidates, `[N]` each."""
    schema = examples.schema

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def parsed(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        values = example.labeled_candidates(schema, records)
        rows = model.item_embedding.rows(values[CANDIDATE_ITEM_ID])
        cells = rows * item_prior.GROUPS + item_prior.group(values[USER_ID])
        label = values[model.label]
        weights = values[CANDIDATE_SAMPLE_WEIGHT] if schema.weighted else tf.ones_like(label)
        return cells, label, weights

    with shard_reading.guarded(examples, examples.paths("train")):
        for records in record_files.read_all(examples.shards("train")).batch(_RECORDS):
            cells, label, weights = parsed(records)
            yield cells.numpy(), label.numpy(), weights.numpy()
