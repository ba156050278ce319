"""Tiers against NumPy, with random weights."""

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.behaviors import Behaviors
from models.layers.similarity_tiers import SimilarityTiers
from tests.models.layers.reference_attention import bucket_of, dense, randomize

EDGES = (-0.5, 0.0, 0.25, 0.9)


def behaviors_of(codes, types=1):
    """Behaviors without padding, which have the types in turn."""
    shape = (len(codes), codes.shape[2])
    kinds = tf.broadcast_to(tf.range(shape[1], dtype=tf.int64) % types, shape)
    return Behaviors(tf.ones(shape, tf.bool), tf.zeros(shape, tf.int64), kinds)


def histogram(codes, types=1):
    given = {"text": tf.constant(codes)}
    tiers = SimilarityTiers({"text": EDGES})
    return tiers.histograms(given, behaviors_of(codes, types), types)["text"].numpy()


@pytest.mark.parametrize("types", [1, 3])
@pytest.mark.parametrize("behaviors", [0, 1, 50])
def test_histogram_equals_numpy_and_leaves_out_unknown(behaviors, types):
    rng = np.random.default_rng(behaviors)
    codes = rng.integers(0, 256, (3, 4, behaviors)).astype(np.uint8)
    codes[..., : behaviors // 3] = 0
    received = histogram(codes, types)
    bucket = bucket_of(codes, EDGES)
    expected = [[np.bincount(row, minlength=6)[1:] for row in request] for request in bucket]
    np.testing.assert_array_equal(received, expected)
    np.testing.assert_array_equal(received.sum(-1), (codes > 0).sum(-1))


def test_every_code_has_exactly_one_tier_but_the_unknown_one():
    codes = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    counts = histogram(codes)[0]
    assert (counts[0] == 0).all()
    assert (counts[1:].sum(axis=1) == 1).all()
    assert counts[1].argmax() == 0
    assert counts[255].argmax() == 4


def test_tiers_are_a_tower_over_log_counts_of_each_modality():
    tiers = SimilarityTiers({"text": EDGES, "image": (0.0,)}, width=3)
    rng = np.random.default_rng(0)
    codes = {m: rng.integers(0, 256, (2, 3, 7)).astype(np.uint8) for m in ("text", "image")}
    behaviors = behaviors_of(codes["text"])
    tiers(codes, behaviors)
    randomize(tiers, 1)
    counts = tiers.histograms(codes, behaviors)
    expected = [
        np.maximum(dense(tower, np.log1p(counts[name].numpy())), 0)
        for name, tower in tiers._towers.items()
    ]
    np.testing.assert_allclose(tiers(codes, behaviors), np.concatenate(expected, -1), atol=1e-5)
    assert SimilarityTiers.from_config(tiers.get_config()).get_config() == tiers.get_config()


def test_width_zero_is_refused():
    with pytest.raises(ValueError, match="width must be at least 1, received 0"):
        SimilarityTiers({"text": EDGES}, width=0)
