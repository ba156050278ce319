"""Optimizers of big tables: no tensor of the table's size in a step, penalties, one per table."""

import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from features.errors import UserInputError
from models import factory
from models.losses import row_penalty
from models.model_config import ModelConfig
from models.training import optimizers
from models.training.config import TableOptimizer, TrainingConfig
from tests import synthetic

# Widths and rows that nothing else in the model has.
ROWS, OOV = 1_009, 8
SMALL = {"embedding_width": 6, "head_width": 5, "hidden": (7,), "tier_width": 4, "side_buckets": 16}


def built(vocabulary=None, **values):
    ids = synthetic.item_ids() if vocabulary is None else vocabulary
    return factory.build_model(ModelConfig(**{**SMALL, **values}), synthetic.SCHEMA, ids)


def batch(count=20):
    requests = synthetic.random_requests(count=count, seed=3)
    return synthetic.batch_of(requests)


def tensors_as_long_as_the_table(name, optimizer, l2):
    """Names the ops of a training step with an output of as many rows as the table."""
    ids = np.union1d(synthetic.item_ids(), np.arange(10**9, 10**9 + ROWS))[:ROWS]
    model = built(ids, name=name, embedding_l2=l2)
    config = TrainingConfig(optimizer=optimizer)
    model.compile(optimizer=optimizers.build_optimizer(model, config, 10))
    step = tf.function(model.train_step, autograph=False).get_concrete_function(batch())
    definition = step.graph.as_graph_def(add_shapes=True)
    nodes = [*definition.node, *(one for f in definition.library.function for one in f.node_def)]
    assert len(nodes) > 500
    return [
        f"{node.op} {node.name}"
        for node in nodes
        for shape in node.attr["_output_shapes"].list.shape
        if shape.dim and shape.dim[0].size == ROWS + OOV
    ]


@pytest.mark.parametrize("optimizer", ["lazy_adam", "adagrad"])
def test_a_training_step_makes_no_tensor_of_the_tables_size(optimizer):
    assert tensors_as_long_as_the_table("dmf", optimizer, l2=0.1) == []


def test_adam_makes_some_so_the_search_finds_them():
    assert tensors_as_long_as_the_table("id_only", "adam", l2=0.0)


def test_the_penalty_pulls_the_rows_that_a_batch_reads_each_once_and_no_other():
    table = tf.Variable(np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32))
    rows = tf.constant([4, 2, 4, 7, 4], tf.int64)
    with tf.GradientTape() as tape:
        penalty = row_penalty.squared_rows(table, rows)
    gradient = tape.gradient(penalty, table)
    assert isinstance(gradient, tf.IndexedSlices)
    expected = np.zeros(table.shape, np.float32)
    expected[[2, 4, 7]] = 2 * table.numpy()[[2, 4, 7]]
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, rtol=1e-6)
    assert float(penalty) == pytest.approx(np.square(table.numpy()[[2, 4, 7]]).sum(), rel=1e-5)
    assert float(row_penalty.squared_rows(table, rows[:0])) == 0


def test_the_loss_has_the_penalty_of_the_candidates_rows_in_training_only():
    plain = built(id_dropout=0.0, embedding_l2=0.0)
    with_penalty = built(id_dropout=0.0, embedding_l2=0.7)
    with_penalty.set_weights(plain.get_weights())
    requests = batch(5)
    ids = requests["candidate_item_id"].numpy()[requests["candidate_mask"].numpy()]
    rows = plain.item_embedding.rows(tf.constant(np.unique(ids))).numpy()
    assert len(rows) < len(ids)
    squares = np.square(plain.item_embedding.table.numpy()[rows]).sum()
    for training, expected in ((True, 0.7 * squares / len(ids)), (False, 0.0)):
        more = with_penalty.compute_loss(requests, training) - plain.compute_loss(
            requests, training
        )
        assert float(more) == pytest.approx(expected, abs=1e-5)


def test_a_table_has_the_optimizer_and_step_size_that_it_is_given():
    model = built()
    config = TypeAdapter(TrainingConfig).validate_python(
        {
            "learning_rate": 1e-3,
            "bucket_learning_rate": 2e-3,
            "table_optimizers": {
                "item_id": {"optimizer": "adagrad", "learning_rate": 0.5},
                "candidate_genres": {"optimizer": "lazy_adam"},
            },
        }
    )
    optimizer = optimizers.build_optimizer(model, config, 100)
    variables = model.trainable_variables
    before = [variable.numpy() for variable in variables]
    optimizer.apply_gradients([(tf.ones_like(one), one) for one in variables])
    buckets = {id(variable) for variable in model.bucket_variables()}
    moved = {}
    for variable, old in zip(variables, before, strict=True):
        rate = 2e-3 if id(variable) in buckets else 1e-3
        if variable is model.item_embedding.table:
            rate = 0.5 / np.sqrt(1.1)  # Adagrad's first step.
        np.testing.assert_allclose(old - variable, rate, rtol=1e-2, err_msg=variable.name)
        moved[id(variable)] = True
    assert len(moved) == len(variables)
    kinds = {type(one[0]).__name__ for one in optimizer._optimizers_and_vars}
    assert kinds == {"Adam", "Adagrad", "LazyAdam"}


def test_unknown_tables_optimizers_and_step_sizes_are_refused():
    config = TrainingConfig(table_optimizers={"genres": TableOptimizer("adagrad")})
    with pytest.raises(UserInputError, match=r"\['genres'\], but .*'candidate_genres'.*'item_id'"):
        optimizers.build_optimizer(built(), config, 10)
    for values in ({"optimizer": "sgd"}, {"optimizer": "adam", "learning_rate": 0.0}, {}):
        with pytest.raises(ValidationError):
            TypeAdapter(TrainingConfig).validate_python({"table_optimizers": {"item_id": values}})
