"""Running statistics in the model: against NumPy, adapted to a sample, saved with the model."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from features.records import running_statistics
from features.schema import SideFeature
from models import factory, trained_model
from models.inputs import example_set
from models.layers.running_statistics import RunningStatistics
from models.layers.side_features import SideFeatures
from models.model_config import ModelConfig
from models.training import fit
from models.training.config import TrainingConfig
from tests import synthetic

STATISTICS = ("liked", "rating")
ITEM = running_statistics.item_feature(STATISTICS)
USER = running_statistics.context_feature(STATISTICS)
SCHEMA = dataclasses.replace(
    synthetic.SCHEMA,
    item_features=(*synthetic.SCHEMA.item_features, ITEM),
    context_features=(*synthetic.SCHEMA.context_features, USER),
)


def sums(seed, shape, feature):
    """Raw values: counts from 0 to thousands, sums that belong to them."""
    rng = np.random.default_rng(seed)
    counts = np.floor(rng.exponential(1, (*shape, 1)) ** 3 * 10)
    rest = (
        counts
        * rng.random((*shape, feature.width - 1))
        * [1, 4, 0.8, 0.1, -0.2][: feature.width - 1]
    )
    return np.concatenate([counts, rest], -1).astype(np.float32)


def expected(values, strength, prior, sample=None):
    """The layer's outputs by NumPy; standardized over a sample of raw values."""

    def raw(x):
        x = np.asarray(x, np.float64)
        n, s = x[..., :1], x[..., 1:3]
        outputs = [np.log1p(n), (s + strength * prior) / (n + strength)]
        if x.shape[-1] > 3:
            outputs.append(x[..., 4:] / (x[..., 3:4] + 5))
        return np.concatenate(outputs, -1)

    if sample is None:
        return raw(values)
    return (raw(values) - raw(sample).mean(0)) / raw(sample).std(0)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 5), (2, 0)], ids=str)
@pytest.mark.parametrize("feature", [ITEM, USER], ids=["item", "user"])
@pytest.mark.parametrize("strength", [20.0, 3.0])
def test_layer_equals_numpy_before_and_after_it_is_adapted(shape, feature, strength):
    layer = RunningStatistics(feature, strength)
    values, sample = sums(0, shape, feature), sums(1, (500,), feature)
    outputs = 5 if feature is USER else 3
    received = layer(tf.constant(values)).numpy()
    assert received.shape == (*shape, outputs)
    np.testing.assert_allclose(received, expected(values, strength, 0), rtol=1e-5, atol=1e-6)
    layer.adapt(sample)
    weight = sample[:, :1] / (sample[:, :1] + strength)
    means = sample[:, 1:3] / np.maximum(sample[:, :1], 1)
    prior = (weight * means).sum(0) / weight.sum()
    received = layer(tf.constant(values)).numpy()
    np.testing.assert_allclose(received, expected(values, strength, prior, sample), atol=1e-4)
    standardized = layer(tf.constant(sample)).numpy()
    np.testing.assert_allclose(standardized.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(standardized.std(0), 1, atol=1e-4)
    assert not layer.trainable_variables


def test_an_item_without_events_gets_the_prior_and_a_constant_does_not_divide_by_zero():
    layer = RunningStatistics(ITEM)
    layer.adapt(np.array([[10, 5, 30]] * 4, np.float32))
    outputs = layer(tf.zeros([1, 3])).numpy()[0]
    np.testing.assert_allclose(outputs[1:], 0, atol=1e-6)
    assert outputs[0] == pytest.approx(-np.log1p(10), rel=1e-5)
    cold = RunningStatistics(USER)
    cold.adapt(np.zeros((7, 6), np.float32))
    assert np.isfinite(cold(tf.constant(sums(0, (9,), USER))).numpy()).all()


def test_negative_counts_are_taken_for_none():
    layer = RunningStatistics(USER)
    values = np.array([[-5, 0, 0, -5, 0, 0]], np.float32)
    np.testing.assert_array_equal(layer(values), layer(np.zeros_like(values)))


@pytest.mark.parametrize(
    "values",
    [np.zeros((0, 3)), np.array([[1, np.nan, 2]]), np.array([[1, np.inf, 2], [0, 0, 0]])],
)
def test_a_sample_that_is_empty_or_not_finite_is_refused(values):
    with pytest.raises(ValueError, match=r"adapts to finite raw counts and sums, received \d rows"):
        RunningStatistics(ITEM).adapt(values)


def test_other_features_and_strengths_are_refused():
    with pytest.raises(ValueError, match="'age' is numeric, expected a running feature"):
        RunningStatistics(SideFeature("age", "numeric"))
    with pytest.raises(ValueError, match="prior_strength must be > 0, received 0"):
        RunningStatistics(ITEM, 0)


def test_padding_is_not_part_of_the_sample():
    values = sums(3, (4, 6), ITEM)
    mask = np.arange(6) < np.array([[6], [1], [3], [2]])
    batch = {
        f"candidate_{ITEM.name}": tf.constant(np.where(mask[..., None], values, 1e9)),
        "candidate_mask": tf.constant(mask),
    }
    sides, alone = SideFeatures((ITEM,), "candidate_"), RunningStatistics(ITEM)
    sides.adapt([batch, batch])
    alone.adapt(np.concatenate([values[mask], values[mask]]))
    (received,) = sides({f"candidate_{ITEM.name}": tf.constant(values)})
    np.testing.assert_array_equal(received, alone(values))


@pytest.mark.slow
def test_training_adapts_and_the_saved_model_keeps_it(tmp_path):
    examples = synthetic.write_example_set(
        str(tmp_path / "examples"), SCHEMA, {"train": 60, "validation": 20, "test": 20}
    )
    config = ModelConfig(embedding_width=8, hidden=(8,), cross_layers=1)
    model, _ = fit.train(
        examples, config, TrainingConfig(batch_candidates=64, epochs=1), str(tmp_path / "model")
    )
    again = trained_model.read_trained_model(str(tmp_path / "model"))
    fixed = {w.name: w.numpy() for w in model.item_side.non_trainable_variables}
    assert any(np.ptp(values) > 0 for values in fixed.values())
    batch = factory.zero_batch(SCHEMA, 3, 4, 2)
    for feature, prefix, shape in ((ITEM, "candidate", (3, 4)), (USER, "context", (3,))):
        batch[f"{prefix}_{feature.name}"] = tf.constant(sums(5, shape, feature))
    np.testing.assert_array_equal(model(batch), again(batch))
    assert example_set.ExampleSet.open(examples.folder).schema == SCHEMA
    changed = {**batch, f"candidate_{ITEM.name}": batch[f"candidate_{ITEM.name}"] * 2}
    assert np.abs(model(batch) - model(changed)).max() > 1e-4


def test_the_sample_is_not_read_where_nothing_is_fitted():
    def unread():
        raise AssertionError
        yield

    factory.build_model(ModelConfig(), synthetic.SCHEMA, synthetic.item_ids()).adapt(unread())
