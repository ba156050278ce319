"""Tiers, fusion, content projection, masking: each against NumPy, with random weights."""

import numpy as np
import pytest
import tensorflow as tf

from features.schema import Modality
from models.layers import masking
from models.layers.content_projection import ContentProjection
from models.layers.fusion import ComplementaryFusion
from models.layers.similarity_tiers import SimilarityTiers
from tests.models.layers.reference_attention import bucket_of, randomize

EDGES = (-0.5, 0.0, 0.25, 0.9)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dense(layer, x):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


@pytest.mark.parametrize("behaviors", [0, 1, 50])
def test_histogram_equals_numpy_and_leaves_out_unknown_and_padding(behaviors):
    rng = np.random.default_rng(behaviors)
    codes = rng.integers(0, 256, (3, 4, behaviors)).astype(np.uint8)
    codes[..., : behaviors // 3] = 0
    received = SimilarityTiers({"text": EDGES}).histogram("text", tf.constant(codes)).numpy()
    bucket = bucket_of(codes, EDGES)
    expected = [[np.bincount(row, minlength=6)[1:] for row in request] for request in bucket]
    np.testing.assert_array_equal(received, expected)
    np.testing.assert_array_equal(received.sum(-1), (codes > 0).sum(-1))


def test_every_code_has_exactly_one_tier_but_the_unknown_one():
    codes = np.arange(256, dtype=np.uint8).reshape(1, 256, 1)
    counts = SimilarityTiers({"text": EDGES}).histogram("text", tf.constant(codes)).numpy()[0]
    assert (counts[0] == 0).all()
    assert (counts[1:].sum(axis=1) == 1).all()
    assert counts[1].argmax() == 0
    assert counts[255].argmax() == 4


def test_tiers_are_a_tower_over_log_counts_of_each_modality():
    tiers = SimilarityTiers({"text": EDGES, "image": (0.0,)}, width=3)
    rng = np.random.default_rng(0)
    codes = {m: tf.constant(rng.integers(0, 256, (2, 3, 7)), tf.uint8) for m in ("text", "image")}
    tiers(codes)
    randomize(tiers, 1)
    expected = [
        np.maximum(dense(tower, np.log1p(tiers.histogram(name, codes[name]).numpy())), 0)
        for name, tower in tiers._towers.items()
    ]
    np.testing.assert_allclose(tiers(codes), np.concatenate(expected, -1), atol=1e-5)
    assert SimilarityTiers.from_config(tiers.get_config()).get_config() == tiers.get_config()


@pytest.mark.parametrize("mode", ["concat", "gate", "scalar"])
def test_fusion_equals_numpy(mode):
    rng = np.random.default_rng(0)
    enriched, centric = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 5))
    inputs = tf.constant(enriched, tf.float32), tf.constant(centric, tf.float32)
    fusion = ComplementaryFusion(mode)
    fusion(*inputs)
    randomize(fusion, 1)
    both = np.concatenate([enriched, centric], -1)
    if mode == "concat":
        expected = both
    else:
        gate = sigmoid(dense(fusion._gate, both) if mode == "gate" else fusion._mix.numpy())
        expected = gate * enriched + (1 - gate) * dense(fusion._align, centric)
    np.testing.assert_allclose(fusion(*inputs), expected, atol=1e-5)


def test_fusion_refuses_an_unknown_mode():
    with pytest.raises(ValueError, match="concat, gate or scalar, received 'sum'"):
        ComplementaryFusion("sum")


def test_content_projection_equals_numpy_and_a_zero_vector_gives_zero():
    modalities = (Modality("text", 4), Modality("image", 3))
    projection = ContentProjection(modalities, 2)
    rng = np.random.default_rng(0)
    quantized = {
        m.name: rng.integers(-127, 128, (2, 3, m.dimension)).astype(np.int8) for m in modalities
    }
    quantized["text"][1, 2] = 0
    received = projection(quantized).numpy()
    expected = []
    for name, vectors in quantized.items():
        norm = np.linalg.norm(vectors.astype(float), axis=-1, keepdims=True)
        kernel = projection._projections[name].kernel.numpy()
        expected.append(vectors / np.maximum(norm, 1e-9) @ kernel)
    np.testing.assert_allclose(received, np.concatenate(expected, -1), atol=1e-5)
    assert (received[1, 2, :2] == 0).all()
    assert (received[1, 2, 2:] != 0).all()


def test_masked_softmax_gives_padding_exactly_nothing_whatever_its_score():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2, 3, 2, 5)).astype(np.float32)
    mask = np.array([[1, 1, 0, 1, 0], [0, 1, 0, 0, 0]], bool)
    scores[0, ..., 2] = 1e4
    weights = masking.masked_softmax(tf.constant(scores), tf.constant(mask)).numpy()
    mass = np.where(mask[:, None, None], np.exp(np.where(mask[:, None, None], scores, 0)), 0)
    np.testing.assert_allclose(weights, mass / mass.sum(-1, keepdims=True), atol=1e-6)
    assert (weights[~np.broadcast_to(mask[:, None, None], weights.shape)] == 0).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SimilarityTiers({"text": EDGES}, width=0),
        lambda: ContentProjection((Modality("text", 4),), 0),
    ],
)
def test_width_zero_is_refused(make):
    with pytest.raises(ValueError, match="width must be at least 1, received 0"):
        make()
