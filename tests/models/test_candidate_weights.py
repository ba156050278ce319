"""Weights count candidates: an integer weight is that many copies, 0 is none."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from features.schema import CANDIDATE_SAMPLE_WEIGHT, Downsampling, SideFeature
from models import factory
from models.inputs import candidate_weights
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training.config import TrainingConfig
from models.training.optimizers import build_optimizer
from tests import synthetic
from tests.models.test_entire_space import TINY, batch_with_conversions

WEIGHTED = dataclasses.replace(synthetic.SCHEMA, weighted=True)


def built(name="dmf", schema=WEIGHTED, **changes):
    config = ModelConfig(name=name, **{**TINY, "conversion_label": "conversion", **changes})
    keras.utils.set_random_seed(3)
    model = factory.build_model(config, schema, synthetic.item_ids(), synthetic.embedding_sets())
    model.compile(optimizer=build_optimizer(model, TrainingConfig(), 10))
    return model


def single(batch):
    """One candidate per request, so that a copy of a candidate is a copy of a row."""
    places = tf.where(batch["candidate_mask"])
    rows = {}
    for name, values in batch.items():
        if name in ("click", "conversion") or name.startswith(("candidate_", "similarity_")):
            rows[name] = tf.gather_nd(values, places)[:, None]
        else:
            rows[name] = tf.gather(values, places[:, 0])
    return rows


def repeated(batch, counts):
    rows = np.repeat(np.arange(len(counts)), counts)
    return {name: tf.gather(values, rows) for name, values in batch.items()}


def step(model, batch, weights):
    batch = {**batch, CANDIDATE_SAMPLE_WEIGHT: tf.constant(weights, tf.float32)[:, None]}
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    gradients = tape.gradient(loss, model.trainable_variables)
    dense = [tf.convert_to_tensor(one).numpy() for one in gradients]
    return loss.numpy(), dense, model.get_metrics_result()


@pytest.mark.parametrize("name", ["dmf", "id_only"])
def test_a_weight_is_so_many_copies_in_loss_gradient_and_metrics(name):
    batch = single(batch_with_conversions())
    counts = np.random.default_rng(0).integers(0, 4, len(batch["user_id"]))
    loss, gradients, figures = step(built(name), batch, counts)
    copies = repeated(batch, counts)
    expected = step(built(name), copies, np.ones(counts.sum()))
    # The loss is a mean over candidates, of which copies make more.
    share = counts.sum() / len(counts)
    assert loss == pytest.approx(expected[0] * share, rel=1e-5)
    for one, other in zip(gradients, expected[1], strict=True):
        np.testing.assert_allclose(one, other * share, rtol=1e-3, atol=1e-6)
    for metric, value in figures.items():
        assert float(value) == pytest.approx(float(expected[2][metric]), rel=1e-4), metric


def test_weights_of_one_change_nothing():
    batch = single(batch_with_conversions())
    ones = np.ones(len(batch["user_id"]))
    loss, gradients, _ = step(built(), batch, ones)
    plain = built(schema=synthetic.SCHEMA)
    # Without the schema's word the name is an item's column.
    other, expected, _ = step(plain, batch, 5 * ones)
    assert loss == pytest.approx(other, rel=1e-6)
    for one, two in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-7)


def test_the_content_model_of_make_learns_by_weight():
    batch = single(batch_with_conversions())
    counts = np.random.default_rng(1).integers(0, 4, len(batch["user_id"]))
    model = built("make", conversion_label=None)

    def loss(batch, weights):
        weights = tf.constant(weights, tf.float32)[:, None]
        return float(model._content_loss({**batch, CANDIDATE_SAMPLE_WEIGHT: weights}))

    expected = loss(repeated(batch, counts), np.ones(counts.sum())) * counts.sum() / len(counts)
    assert loss(batch, counts) == pytest.approx(expected, rel=1e-5)


def test_an_items_column_of_that_name_is_no_weight():
    schema = dataclasses.replace(
        synthetic.SCHEMA, item_features=(SideFeature("sample_weight", "numeric"),)
    )
    batch = {CANDIDATE_SAMPLE_WEIGHT: tf.ones([1, 1, 1])}
    assert candidate_weights.weights_of(batch, schema) is None
    assert candidate_weights.weights_of(batch, WEIGHTED) is not None


def test_a_negative_of_a_sampled_split_stands_for_those_that_are_gone():
    schema = dataclasses.replace(WEIGHTED, downsampling=Downsampling("click", 0.25))
    examples = ExampleSet("", schema, {}, downsampled=("train", "validation"))
    batch = {
        "click": tf.constant([[1.0, 0.0, 0.0]]),
        CANDIDATE_SAMPLE_WEIGHT: tf.constant([[3.0, 2.0, 0.0]]),
    }
    batches = tf.data.Dataset.from_tensors(batch)
    (found,) = candidate_weights.of_whole_log(batches, examples, "validation")
    assert found[CANDIDATE_SAMPLE_WEIGHT].numpy().tolist() == [[3.0, 8.0, 0.0]]
    (same,) = candidate_weights.of_whole_log(batches, examples, "test")
    assert same[CANDIDATE_SAMPLE_WEIGHT].numpy().tolist() == [[3.0, 2.0, 0.0]]
    del batch[CANDIDATE_SAMPLE_WEIGHT]
    batches = tf.data.Dataset.from_tensors(batch)
    (found,) = candidate_weights.of_whole_log(batches, examples, "train")
    assert found[CANDIDATE_SAMPLE_WEIGHT].numpy().tolist() == [[1.0, 4.0, 4.0]]
