"""What `benchmarks.training` compares is the same thing, done in other ways."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.model_alternatives import training_records, training_ways
from benchmarks.model_alternatives.materialized_attention import MaterializedTargetAttention
from features.embeddings import similarity
from models.layers.attention.decoupled_attention import DecoupledTargetAttention
from tests.models.layers.reference_attention import random_case, randomize

REQUESTS, CANDIDATES = 50, 20
EDGES = {"text": similarity.uniform_edges(20), "image": (-0.3, 0.4)}


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("records") / "examples")
    return training_records.write(folder, REQUESTS, CANDIDATES, 6, items=90, content_width=8)


@pytest.mark.parametrize("candidates", [1, 3])
def test_materialized_attention_equals_ours_and_so_do_its_gradients(candidates):
    case = random_case((4, candidates, 5), width=6, modalities=EDGES, behavior_types=3, seed=1)
    ours = DecoupledTargetAttention(EDGES, 1, 8, 3)
    other = MaterializedTargetAttention(EDGES, 8, 3)
    case.call(ours), case.call(other)
    randomize(ours, seed=2)
    other.set_weights(ours.get_weights())
    found, gradients = [], []
    for layer in (ours, other):
        with tf.GradientTape() as tape:
            interest = case.call(layer)
            loss = tf.reduce_sum(tf.sin(interest))
        found.append(interest.numpy())
        gradients.append(map(tf.convert_to_tensor, tape.gradient(loss, layer.trainable_variables)))
    np.testing.assert_allclose(found[0], found[1], atol=2e-5)
    assert not found[0][1].any()  # the request without history
    for one, two in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, two, atol=2e-4)


def pairs(batches) -> collections.Counter[tuple[int, ...]]:
    """Every candidate with its whole history and its label."""
    found = collections.Counter()
    for batch in batches:
        for request, column in np.argwhere(batch["candidate_mask"].numpy()):
            pair = (
                int(batch["candidate_item_id"][request, column]),
                int(batch["click"][request, column]),
                *batch["history_item_id"][request].numpy().tolist(),
                *batch["similarity_text"][request, column].numpy().tolist(),
            )
            found[pair] += 1
    return found


def test_flat_and_grouped_batches_hold_the_same_candidates(examples):
    flat = pairs(training_ways.batches(examples, "flat"))
    assert flat.total() == REQUESTS * CANDIDATES
    assert flat == pairs(training_ways.batches(examples, "grouped"))
    reading = training_ways.reading(examples, "flat")
    for _ in range(2):
        assert sum(reading.run() for _ in range(reading.calls)) == flat.total()


def test_grouped_batches_are_full(examples):
    batch = next(iter(training_ways.batches(examples, "grouped")))
    assert batch["candidate_mask"].shape == (25, 20)
