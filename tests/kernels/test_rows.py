"""Kernels over rows of tables, bit for bit."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from features.embeddings import embedding_set
from features.ids import id_index
from kernels import library, rows
from models.layers.content_table import ContentTable
from models.training.lazy_adam import LazyAdam
from tests.kernels import drawn, reference


@pytest.mark.parametrize("width", [1, 3, 16, 33])
def test_a_step_of_lazy_adam_has_the_bits_of_stock_ops(kernels, width):
    rng = np.random.default_rng(width)
    start = drawn.floats(rng, 50, width)
    # Most rows are there several times.
    steps = [(rng.integers(0, 50, k), drawn.floats(rng, k, width)) for k in (20, 0, 1, 500, 7)]
    found = []
    for mode in ("off", "on"):
        with library.use(mode):
            variable = tf.Variable(start)
            optimizer = LazyAdam(keras.optimizers.schedules.InverseTimeDecay(0.1, 3, 0.5))
            optimizer.build([variable])
            for places, values in steps:
                slices = tf.IndexedSlices(tf.constant(values), tf.constant(places), [50, width])
                optimizer.apply_gradients([(slices, variable)])
            found.append([variable.numpy(), *[one.numpy() for one in optimizer.variables[1:]]])
    for stock, kernel in zip(*found, strict=True):
        np.testing.assert_array_equal(stock, kernel)
    assert not (found[0][0] == start).all()


def test_a_tensor_that_was_read_before_a_step_keeps_its_values(kernels):
    variable = tf.Variable(tf.ones([3, 2]))
    read = tf.identity(variable.read_value())
    optimizer = LazyAdam(0.5)
    optimizer.build([variable])
    slices = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([1]), [3, 2])
    optimizer.apply_gradients([(slices, variable)])
    np.testing.assert_array_equal(read, np.ones([3, 2]))
    assert (variable.numpy()[1] < 1).all()
    assert (variable.numpy()[[0, 2]] == 1).all()


def tables(rng, size, width):
    return tuple(tf.Variable(drawn.floats(rng, size, width)) for _ in range(3))


@pytest.mark.parametrize(
    ("places", "values", "message"),
    [
        ([3], (1, 2), r"rows\[0\] is 3, expected 0 to 2"),
        ([-1], (1, 2), r"rows\[0\] is -1, expected 0 to 2"),
        ([0], (1, 3), "1 rows of 2 numbers"),
    ],
)
def test_a_gradient_of_other_rows_is_refused_and_changes_nothing(kernels, places, values, message):
    given = tables(np.random.default_rng(0), 3, 2)
    before = [one.numpy() for one in given]
    slices = tf.IndexedSlices(tf.zeros(values), tf.constant(places, tf.int64))
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        rows.lazy_adam(given, tf.constant(0.1), slices, (0.9, 0.999), 1e-7)
    for one, kept in zip(given, before, strict=True):
        np.testing.assert_array_equal(one, kept)


def test_one_table_for_two_is_refused(kernels):
    first, second, _ = tables(np.random.default_rng(0), 3, 2)
    slices = tf.IndexedSlices(tf.zeros([1, 2]), tf.constant([0], tf.int64))
    with pytest.raises(tf.errors.InvalidArgumentError, match="One table was given for two"):
        rows.lazy_adam((first, second, first), tf.constant(0.1), slices, (0.9, 0.999), 1e-7)


@pytest.mark.parametrize("shape", [(0,), (1,), (40,), (3, 5)])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_content_is_found_by_id(kernels, shape, size):
    rng = np.random.default_rng(size)
    ids = rng.choice(np.arange(-500, 500), size, replace=False)
    wanted = rng.choice(np.append(ids, [7777, 2**62]), shape)
    given = embedding_set.from_vectors(np.sort(ids), drawn.floats(rng, size, 5))
    vectors, norms = ContentTable(given, "text").lookup(tf.constant(wanted))
    expected = reference.content(wanted, given.item_ids, given.quantized, given.norms)
    np.testing.assert_array_equal(vectors, expected[0])
    np.testing.assert_array_equal(norms, expected[1])


def test_a_damaged_index_reads_no_other_memory(kernels):
    index = id_index.index(np.arange(10))
    starts = np.full_like(index.starts, 2**30)
    found, norms = rows.content(
        tf.constant([3, 5], tf.int64), tf.constant(np.arange(10)), tf.constant(starts),
        index.longest,
        tf.zeros([11, 4], tf.int8), tf.zeros([11]),
    )  # fmt: skip
    assert not found.numpy().any()
    assert not norms.numpy().any()
