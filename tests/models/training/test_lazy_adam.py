"""Lazy Adam is Adam for the rows of a batch, and changes no other row."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from features.records import example
from models import factory
from models.model_config import ModelConfig
from models.training import optimizers
from models.training.config import TrainingConfig
from models.training.lazy_adam import LazyAdam
from tests import synthetic

RATE = keras.optimizers.schedules.PolynomialDecay(0.1, 8, 0.005)
ROWS, WIDTH = 7, 3


def table(seed=0):
    values = np.random.default_rng(seed).standard_normal((ROWS, WIDTH))
    return tf.Variable(values.astype(np.float32))


def sparse(values, rows):
    return tf.IndexedSlices(
        tf.constant(values, tf.float32), tf.constant(rows, tf.int64), tf.constant([ROWS, WIDTH])
    )


def apply_in_a_graph(optimizer, variable):
    optimizer.build([variable])

    @tf.function(autograph=False)
    def apply(values, rows):
        gradient = tf.IndexedSlices(values, rows, tf.constant([ROWS, WIDTH]))
        optimizer.apply_gradients([(gradient, variable)])

    return lambda values, rows: apply(tf.constant(values, tf.float32), tf.constant(rows, tf.int64))


def slots(optimizer):
    return [*optimizer._momentums, *optimizer._velocities]


def test_it_is_adam_where_every_row_has_a_gradient_and_duplicates_are_summed():
    rng = np.random.default_rng(1)
    lazy, dense, in_graph = table(), table(), table()
    ours, theirs = LazyAdam(RATE), keras.optimizers.Adam(RATE)
    graph = apply_in_a_graph(LazyAdam(RATE), in_graph)
    for _ in range(8):
        rows = rng.permutation(np.concatenate([np.arange(ROWS), rng.integers(0, ROWS, 5)]))
        values = rng.standard_normal((len(rows), WIDTH)).astype(np.float32)
        summed = np.zeros((ROWS, WIDTH), np.float32)
        np.add.at(summed, rows, values)
        ours.apply_gradients([(sparse(values, rows), lazy)])
        graph(values, rows)
        theirs.apply_gradients([(tf.constant(summed), dense)])
        np.testing.assert_allclose(lazy, dense, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(in_graph, dense, rtol=1e-4, atol=1e-6)
    for mine, other in zip(slots(ours), slots(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-7)


def test_rows_outside_the_batch_keep_weights_and_moments_and_the_rest_follows_the_formula():
    rng = np.random.default_rng(2)
    variable, optimizer = table(), LazyAdam(0.1)
    optimizer.build([variable])
    expected = variable.numpy().astype(np.float64)
    first, second = np.zeros((2, ROWS, WIDTH))
    for step, rows in enumerate(([0, 1, 2], [2, 5], [1], [0, 5]), start=1):
        gradient = rng.standard_normal((len(rows), WIDTH))
        others = np.setdiff1d(np.arange(ROWS), rows)
        before = [one.numpy() for one in (variable, *slots(optimizer))]
        optimizer.apply_gradients([(sparse(gradient, rows), variable)])
        after = [one.numpy() for one in (variable, *slots(optimizer))]
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(new[others], old[others])
            assert (new[rows] != old[rows]).all()
        first[rows] = 0.9 * first[rows] + 0.1 * gradient
        second[rows] = 0.999 * second[rows] + 0.001 * gradient**2
        rate = 0.1 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        expected[rows] -= rate * first[rows] / (np.sqrt(second[rows]) + 1e-7)
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6)


def test_a_dense_gradient_is_adams():
    rng = np.random.default_rng(3)
    lazy, dense = table(), table()
    ours, theirs = LazyAdam(0.1), keras.optimizers.Adam(0.1)
    for _ in range(3):
        gradient = tf.constant(rng.standard_normal((ROWS, WIDTH)), tf.float32)
        ours.apply_gradients([(gradient, lazy)])
        theirs.apply_gradients([(gradient, dense)])
    # Keras takes 1 - 0.999 as 0.001; in float32, as TensorFlow's op takes it, it is 0.00100005.
    np.testing.assert_allclose(lazy, dense, atol=1e-5)


def test_a_checkpoint_restores_moments_and_count(tmp_path):
    variable, optimizer = table(), LazyAdam(RATE)
    values, rows = np.ones((2, WIDTH)), [1, 4]
    optimizer.apply_gradients([(sparse(values, rows), variable)])
    path = tf.train.Checkpoint(table=variable, optimizer=optimizer).write(str(tmp_path / "saved"))
    again, restored = table(seed=9), LazyAdam(RATE)
    restored.build([again])
    status = tf.train.Checkpoint(table=again, optimizer=restored).read(path)
    status.assert_existing_objects_matched()
    for one, other in ((optimizer, variable), (restored, again)):
        one.apply_gradients([(sparse(-2 * values, [4, 6]), other)])
    np.testing.assert_array_equal(variable, again)
    assert restored.get_config() == optimizer.get_config()
    assert LazyAdam.from_config(optimizer.get_config()).epsilon == optimizer.epsilon


@pytest.mark.parametrize("name", ["id_only", "dmf"])
def test_a_training_step_moves_the_items_of_its_batch_and_no_table_gets_a_dense_gradient(name):
    config = ModelConfig(name=name, embedding_width=4, head_width=4, hidden=(8,), id_dropout=0.2)
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    rates = TrainingConfig(optimizer="lazy_adam")
    optimizer = optimizers.build_optimizer(model, rates, 10)
    model.compile(optimizer=optimizer)
    requests = synthetic.random_requests(count=2)
    serialized = [example.encode_request(synthetic.SCHEMA, request) for request in requests]
    batch = example.parse_examples(synthetic.SCHEMA, tf.constant(serialized))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    tables = [variable for variable in model.trainable_variables if "table" in variable.name]
    assert len(tables) > 1
    for table_, gradient in zip(tables, tape.gradient(loss, tables), strict=True):
        assert isinstance(gradient, tf.IndexedSlices), table_.name
    items = model.item_embedding.table
    before = items.numpy()
    tf.function(model.train_step, autograph=False)(batch)
    ids = np.concatenate([batch["candidate_item_id"], batch["history_item_id"]], axis=1)
    seen = np.union1d(model.item_embedding.rows(ids).numpy(), np.arange(config.oov_buckets))
    others = np.setdiff1d(np.arange(len(before)), seen)
    assert len(others) > 5
    np.testing.assert_array_equal(items.numpy()[others], before[others])
    moved = (items.numpy() != before).any(axis=1)
    assert moved[seen].sum() > len(ids[0]) / 2
