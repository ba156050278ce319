"""Vectors that follow what users like are told from those of other items."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from models.evaluation import content_relation
from tests import synthetic


def batches(order, count=300):
    """Requests with the vectors of other items, or with their own."""
    sets = synthetic.embedding_sets()
    own = sets["text"]
    vectors = own.quantized[:-1][order(len(own.item_ids))]
    places = {int(item): vector for item, vector in zip(own.item_ids, vectors, strict=True)}
    nothing = np.zeros(vectors.shape[1], np.int8)
    requests = []
    for one in synthetic.random_requests(count=count, seed=2):
        found = [places.get(int(item), nothing) for item in one.candidate_item_id]
        features = {**one.features, "candidate_embedding_text": np.stack(found)}
        requests.append(dataclasses.replace(one, features=features))
    return [synthetic.batch_of(requests)]


def test_related_content_is_more_similar_than_shuffled_content():
    found = content_relation.measure(batches(np.arange), "click", "text")
    assert found.cosine > found.shuffled_most > found.shuffled


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_content_is_as_similar_as_any(seed):
    rng = np.random.default_rng(seed)
    found = content_relation.measure(batches(rng.permutation), "click", "text")
    assert found.cosine <= found.shuffled_most


def test_equal_vectors_are_as_similar_as_any():
    found = content_relation.measure(batches(lambda n: np.zeros(n, int)), "click", "text")
    assert found.cosine == pytest.approx(1, abs=1e-4)
    assert found.cosine <= found.shuffled_most


def test_a_candidate_among_the_behaviors_does_not_count():
    """It is similar to itself whatever its vector, so it would make any content look related."""
    rng = np.random.default_rng(0)
    (batch,) = batches(rng.permutation)
    batch = {name: values.numpy() for name, values in batch.items()}
    # Every behavior becomes one of the candidates, if they are positive at all.
    for row in range(len(batch["history_item_id"])):
        batch["history_item_id"][row] = batch["candidate_item_id"][row, 0]
        batch["candidate_mask"][row, 1:] = False
    tensors = {name: tf.constant(values) for name, values in batch.items()}
    assert content_relation.measure([tensors], "click", "text") is None
