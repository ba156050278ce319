"""Fusion against NumPy, with random weights."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.fusion import ComplementaryFusion
from tests.models.layers.reference_attention import dense, randomize


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


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
