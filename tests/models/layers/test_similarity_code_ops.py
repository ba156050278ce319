"""Sums and gathers by code against NumPy; gradients against slopes."""

import numpy as np
import pytest
import tensorflow as tf

from models.layers.similarity_code_ops import (
    gather_by_code,
    gather_by_type_and_code,
    sum_by_code,
)

SHAPES = [(2, 3, 2, 5), (1, 1, 1, 1), (4, 2, 3, 0), (3, 7, 1, 40)]  # R, C, H, L
SIZE = 6


def draw(shape, dtype=np.uint8, size=SIZE):
    rng = np.random.default_rng(sum(shape))
    r, c, h, b = shape
    codes = rng.integers(0, size, (r, c, b)).astype(dtype)
    weights = rng.standard_normal(shape).astype(np.float32)
    terms = rng.standard_normal((r, c, h, size)).astype(np.float32)
    return codes, weights, terms


def numpy_sum(weights, codes, size=SIZE):
    sums = np.zeros((*weights.shape[:3], size))
    for i, j, h, b in np.ndindex(weights.shape):
        sums[i, j, h, codes[i, j, b]] += weights[i, j, h, b]
    return sums


def numpy_gather(terms, codes):
    r, c, h, _ = terms.shape
    gathered = np.zeros((r, c, h, codes.shape[2]))
    for i, j, k, b in np.ndindex(gathered.shape):
        gathered[i, j, k, b] = terms[i, j, k, codes[i, j, b]]
    return gathered


def gradient(function, inputs, upstream):
    inputs = tf.constant(inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(upstream * function(inputs))
    return tf.convert_to_tensor(tape.gradient(loss, inputs)).numpy()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_equal_numpy(shape, dtype):
    codes, weights, terms = draw(shape, dtype)
    np.testing.assert_allclose(
        sum_by_code(weights, codes, SIZE), numpy_sum(weights, codes), atol=1e-5
    )
    np.testing.assert_array_equal(gather_by_code(terms, codes), numpy_gather(terms, codes))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_each_others_transpose(shape):
    codes, weights, terms = draw(shape)
    summed = gradient(lambda values: sum_by_code(values, codes, SIZE), weights, terms)
    np.testing.assert_allclose(summed, numpy_gather(terms, codes), atol=1e-6)
    gathered = gradient(lambda values: gather_by_code(values, codes), terms, weights)
    np.testing.assert_allclose(gathered, numpy_sum(weights, codes), atol=1e-5)


def test_gradients_equal_numerical_slopes():
    codes, weights, terms = draw((2, 3, 2, 5))
    for function, inputs in (
        (lambda values: tf.sin(sum_by_code(values, codes, SIZE)), weights),
        (lambda values: tf.sin(gather_by_code(values, codes)), terms),
    ):
        (theory,), (slope,) = tf.test.compute_gradient(function, [inputs], delta=1e-2)
        assert np.abs(theory - slope).max() < 1e-3
        assert np.abs(theory).max() > 0.1


def test_codes_up_to_255_and_shapes_known_only_at_run_time():
    codes, weights, terms = draw((2, 3, 2, 9), size=256)
    codes[0, 0, :2] = 0, 255

    @tf.function(
        input_signature=[
            tf.TensorSpec([None] * 4),
            tf.TensorSpec([None] * 4),
            tf.TensorSpec([None] * 3, tf.uint8),
        ]
    )
    def traced(weights, terms, codes):
        return sum_by_code(weights, codes, 256), gather_by_code(terms, codes)

    summed, gathered = traced(weights, terms, codes)
    np.testing.assert_allclose(summed, numpy_sum(weights, codes, 256), atol=1e-5)
    np.testing.assert_array_equal(gathered, numpy_gather(terms, codes))


@pytest.mark.parametrize("heads", [1, 3])
def test_gather_by_type_and_code_looks_up_every_pair(heads):
    rng = np.random.default_rng(heads)
    terms = rng.standard_normal((2, 3, heads, 7)).astype(np.float32)
    biases = rng.standard_normal((4, 7, heads)).astype(np.float32)
    types, codes = rng.integers(0, 4, (2, 5)), rng.integers(0, 7, (2, 3, 5)).astype(np.uint8)
    received = gather_by_type_and_code(
        tf.constant(terms), tf.constant(biases), tf.constant(types), tf.constant(codes)
    )
    expected = np.zeros((2, 3, heads, 5), np.float32)
    for r, c, h, b in np.ndindex(expected.shape):
        code = codes[r, c, b]
        expected[r, c, h, b] = terms[r, c, h, code] + biases[types[r, b], code, h]
    np.testing.assert_array_equal(received, expected)
