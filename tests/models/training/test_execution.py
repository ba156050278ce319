"""Precision applies within its block only; threads are set or refused."""

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from models import factory
from models.model_config import ModelConfig
from models.training import execution
from models.training.config import TrainingConfig
from tests.synthetic import SCHEMA, item_ids


def test_mixed_precision_rounds_products_inside_and_only_there_or_says_that_it_does_not(caplog):
    rng = np.random.default_rng(0)
    left, right = (tf.constant(rng.standard_normal((64, 256)), tf.float32) for _ in range(2))
    product = tf.function(lambda a, b: tf.nn.relu(tf.matmul(a, b, transpose_b=True)))
    exact = product(left, right).numpy()
    with caplog.at_level("WARNING"), execution.precision(True):
        mixed = product(left, right)
    assert mixed.dtype == tf.float32
    difference = np.abs(mixed.numpy() - exact).max() / exact.max()
    if "has no effect" in caplog.text:
        assert difference == 0
    else:
        assert 1e-4 < difference < 3e-2
    np.testing.assert_array_equal(product(left, right), exact)


@pytest.mark.parametrize("rounded", [True, False])
def test_mixed_precision_that_changes_nothing_says_so(rounded, monkeypatch, caplog):
    monkeypatch.setattr(execution, "_rounds_products", lambda: rounded)
    with caplog.at_level("WARNING"), execution.precision(True):
        pass
    assert ("training.mixed_precision has no effect" in caplog.text) is not rounded


def test_precision_that_is_not_mixed_changes_nothing():
    before = tf.config.optimizer.get_experimental_options()
    with execution.precision(False):
        assert not tf.config.optimizer.get_experimental_options().get(execution._REWRITE)
    after = tf.config.optimizer.get_experimental_options()
    assert before.get(execution._REWRITE, False) == after.get(execution._REWRITE, False)


def test_threads_cannot_change_once_tensorflow_runs():
    tf.constant(1.0)
    execution.set_threads(TrainingConfig())
    with pytest.raises(UserInputError, match=r"intra_op_threads=7 .* a process of its own"):
        execution.set_threads(TrainingConfig(intra_op_threads=7))


@pytest.mark.slow
def test_heads_are_compiled_inside_and_only_there():
    model = factory.build_model(ModelConfig(), SCHEMA, item_ids())
    batch = factory.zero_batch(SCHEMA)
    exact = model(batch)
    with execution.compiled_heads(model, True):
        compiled = tf.function(model.call).get_concrete_function(batch)
        found = model(batch)
    functions = compiled.graph.as_graph_def().library.function
    assert any(one.attr["_XlaMustCompile"].b for one in functions)
    np.testing.assert_allclose(found, exact, atol=1e-5)
    outside = tf.function(model.call).get_concrete_function(batch).graph.as_graph_def()
    assert not any(one.attr["_XlaMustCompile"].b for one in outside.library.function)
