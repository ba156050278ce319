"""Masks against NumPy."""

import numpy as np
import tensorflow as tf

from models.layers import masking


def test_masked_softmax_gives_padding_exactly_nothing_whatever_its_score():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2, 3, 2, 5)).astype(np.float32)
    mask = np.array([[1, 1, 0, 1, 0], [0, 1, 0, 0, 0]], bool)
    scores[0, ..., 2] = 1e4
    weights = masking.masked_softmax(tf.constant(scores), tf.constant(mask)).numpy()
    mass = np.where(mask[:, None, None], np.exp(np.where(mask[:, None, None], scores, 0)), 0)
    np.testing.assert_allclose(weights, mass / mass.sum(-1, keepdims=True), atol=1e-6)
    assert (weights[~np.broadcast_to(mask[:, None, None], weights.shape)] == 0).all()
