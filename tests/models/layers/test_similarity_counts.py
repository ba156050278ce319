"""One histogram per candidate and modality, and what tiers read of it, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from models.inputs.behaviors import Behaviors
from models.layers import similarity_counts

SHAPES = [(3, 4, 6), (1, 1, 1), (2, 3, 0), (4, 1, 50), (1, 33, 40)]  # R, C, L


def drawn(shape, types, seed=0):
    """Codes of every kind, also at padding, whose types are none."""
    rng = np.random.default_rng(seed)
    r, c, l = shape  # noqa: E741
    codes = rng.choice([0, 1, 127, 128, 254, 255], (r, c, l)).astype(np.uint8)
    mask = rng.random((r, l)) < 0.7
    kinds = np.where(mask, rng.integers(0, types, (r, l)), rng.choice([-9, 99], (r, l)))
    return codes, mask, kinds


def behaviors(mask, kinds):
    return Behaviors(tf.constant(mask), tf.zeros(mask.shape, tf.int64), tf.constant(kinds))


def by_hand(codes, mask, kinds, types, weights=None):
    found = np.zeros((*codes.shape[:2], types, 256))
    for i, j, b in np.ndindex(codes.shape):
        if mask[i, b]:
            kind = kinds[i, b] if types > 1 else 0
            found[i, j, kind, codes[i, j, b]] += 1 if weights is None else weights[i, b]
    return found


@pytest.mark.parametrize("types", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_counts_and_sums_equal_numpy_and_leave_out_padding(shape, types):
    codes, mask, kinds = drawn(shape, types, sum(shape))
    given = behaviors(mask, kinds)
    received = similarity_counts.counts(tf.constant(codes), given, types).numpy()
    np.testing.assert_array_equal(received, by_hand(codes, mask, kinds, types))
    weights = np.random.default_rng(1).standard_normal(mask.shape).astype(np.float32)
    summed = similarity_counts.counts(tf.constant(codes), given, types, tf.constant(weights))
    expected = by_hand(codes, mask, kinds, types, weights)
    np.testing.assert_allclose(summed.numpy(), expected, atol=1e-5)


def test_one_type_counts_behaviors_of_every_type():
    codes, mask, kinds = drawn((3, 4, 30), 5)
    given = behaviors(mask, kinds)
    apart, together = (similarity_counts.counts(tf.constant(codes), given, n) for n in (5, 1))
    np.testing.assert_array_equal(tf.reduce_sum(apart, 2), together[:, :, 0])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_feature_of_codes_is_summed_over_the_behaviors(shape):
    codes, mask, kinds = drawn(shape, 2, sum(shape))
    by_code = np.random.default_rng(2).random((256, 3)).astype(np.float32)
    counted = similarity_counts.counts(tf.constant(codes), behaviors(mask, kinds), 2)
    received = similarity_counts.apply(counted, by_code).numpy()
    each = by_code[codes] * mask[:, None, :, None]  # [R, C, L, 3]
    expected = np.stack([(each * (kinds == n)[:, None, :, None]).sum(2) for n in (0, 1)], axis=2)
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)
