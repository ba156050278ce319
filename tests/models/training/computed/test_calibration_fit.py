"""The logit's scales and shift are fitted to the validation split, and nothing else is."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from features.schema import Downsampling
from models import factory
from models.evaluation import metrics, scoring
from models.layers.item_prior import GROUPS
from models.model_config import ModelConfig
from models.training.computed import calibration_fit
from models.training.computed.calibration_fit import Calibration, fit_calibration
from tests import synthetic

SAMPLED = dataclasses.replace(synthetic.SCHEMA, downsampling=Downsampling("click", 0.1))
REPEATED = pytest.mark.slow(seconds=6)
TRAIN, BOTH = ("train",), ("train", "validation")
SIZES = {"embedding_width": 4, "head_width": 4, "hidden": (8,)}


def built(schema=synthetic.SCHEMA, name="id_only", seed=0):
    """A model of random weights, whose items have random rates."""
    tf.keras.utils.set_random_seed(seed)
    model = factory.build_model(ModelConfig(name=name, **SIZES), schema, synthetic.item_ids())
    rng = np.random.default_rng(seed)
    shown = np.float32(rng.poisson(9, (model.item_embedding.row_count, GROUPS)))
    rates = rng.uniform(0.1, 0.5, (len(shown), 1))
    model.item_prior.fit(np.float32(rng.binomial(shown.astype(int), rates)), shown)
    return model


def weights_of(scored):
    weight = np.ones(len(scored.label))
    for factor in (scored.stands_for, scored.weight):
        weight = weight if factor is None else weight * factor
    return weight


def logits(model, examples):
    scored = scoring.score(model, examples, "validation")
    return special.logit(scored.probability.astype(np.float64)), scored


@pytest.mark.parametrize(
    ("name", "downsampled", "weighted"),
    [
        ("id_only", TRAIN, False),
        ("dmf", BOTH, True),
        pytest.param("dmf", TRAIN, True, marks=REPEATED),
        pytest.param("id_only", BOTH, False, marks=REPEATED),
    ],
)
def test_as_much_is_predicted_as_happens_by_scales_of_both_parts_and_a_shift(
    tmp_path, name, weighted, downsampled
):
    schema = dataclasses.replace(SAMPLED, weighted=weighted)
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, {"validation": 60})
    examples = dataclasses.replace(examples, downsampled=downsampled)
    model = built(schema, name)
    model.head.shift(2.5)
    before, scored = logits(model, examples)
    prior = model.item_prior(model.item_embedding.rows(tf.constant(scored.item_id))).numpy()
    assert prior.std() > 0.05
    layers = [model.head._logit, *([model.product] if name == "dmf" else [])]
    changed = [model.item_prior._factor, *(one for layer in layers for one in layer.weights)]
    kept = [one for one in model.weights if not any(one is other for other in changed)]
    others = [variable.numpy() for variable in kept]
    fitted = fit_calibration(model, examples)
    assert abs(fitted.shift) > 0.1 and abs(fitted.learned - 1) > 0.01
    after, scored = logits(model, examples)
    rest = before - prior - model.logit_shift
    expected = fitted.of_prior * prior + fitted.learned * rest + model.logit_shift + fitted.shift
    np.testing.assert_allclose(after, expected, atol=1e-4)
    assert (scored.weight is not None) == weighted
    weight = weights_of(scored)
    found = metrics.calibration(scored.label, scored.probability, weight)
    assert found == pytest.approx(1, abs=1e-4)
    for one, other in zip(others, kept, strict=True):
        np.testing.assert_array_equal(one, other.numpy())


def test_the_scales_are_those_of_a_logistic_regression(monkeypatch):
    rng = np.random.default_rng(0)
    prior, learned = rng.normal(size=(2, 4000))
    label = rng.binomial(1, special.expit(0.8 * prior + 0.3 * learned - 1)).astype(np.float32)
    weight = rng.uniform(0.5, 2, 4000)
    parts = np.stack([prior, learned], axis=1)
    reference = LogisticRegression(C=np.inf, tol=1e-8).fit(parts, label, sample_weight=weight)
    near_one = calibration_fit._scales(prior, learned, label, weight)
    monkeypatch.setattr(calibration_fit, "_RIDGE", 0.0)
    np.testing.assert_allclose(
        calibration_fit._scales(prior, learned, label, weight), reference.coef_[0], atol=2e-4
    )
    for found, free in zip(near_one, reference.coef_[0], strict=True):
        assert free < found < free + 0.05
    # A few labels say nothing yet; noise alone is scaled down, never to nothing.
    few = calibration_fit._scales(prior[:20], learned[:20], label[:20], weight[:20])
    assert np.abs(np.array(few) - 1).max() < 0.35
    _, of_noise = calibration_fit._scales(prior, -3 * learned, label, weight)
    assert of_noise == pytest.approx(0.1)


def test_noise_beside_informative_rates_is_scaled_down_and_the_ranking_gains(tmp_path):
    examples = synthetic.write_example_set(
        str(tmp_path / "set"), synthetic.SCHEMA, {"validation": 400}
    )
    model = built()
    learned, scored = logits(model, examples)
    model.head.scale(1.5 / learned.std())
    model.head.shift(-1.5 * learned.mean() / learned.std())
    # The rates of the split itself, which no training knows: as informative as can be.
    rows = model.item_embedding.rows(tf.constant(scored.item_id)).numpy()
    size = model.item_embedding.row_count
    counts = np.bincount(rows, minlength=size), np.bincount(rows, scored.label, minlength=size)
    shown, positives = (np.tile(one[:, None] / GROUPS, GROUPS).astype(np.float32) for one in counts)
    model.item_prior.fit(positives, shown)
    before = scoring.score(model, examples, "validation")
    fitted = fit_calibration(model, examples)
    after = scoring.score(model, examples, "validation")
    assert fitted.learned < 0.4
    gain = roc_auc_score(after.label, after.probability) - roc_auc_score(
        before.label, before.probability
    )
    assert gain > 0.01


def test_with_positions_both_parts_keep_their_scale(tmp_path, monkeypatch):
    """Clicks of validation follow positions, and rates that were counted from such clicks too."""
    examples = synthetic.write_example_set(
        str(tmp_path / "set"), synthetic.SCHEMA, {"validation": 60}
    )
    model = built()
    model.head.shift(0.8)
    monkeypatch.setattr(model, "position_bias", object())
    fitted = fit_calibration(model, examples)
    assert (fitted.of_prior, fitted.learned) == (1, 1)
    assert abs(fitted.shift) > 0.1


@pytest.mark.parametrize("weighted", [pytest.param(False, marks=REPEATED), True])
def test_without_sampling_few_positives_shift_it_a_part_of_the_way(tmp_path, monkeypatch, weighted):
    schema = dataclasses.replace(synthetic.SCHEMA, weighted=weighted)
    examples = synthetic.write_example_set(str(tmp_path / "set"), schema, {"validation": 60})
    model = built(schema)
    model.head.shift(0.8)
    scored = scoring.score(model, examples, "validation")
    weight = weights_of(scored)
    positives = (weight @ scored.label) ** 2 / (weight**2 @ scored.label)
    assert 50 < positives < 500
    start = model.get_weights()
    excess = [weight @ scored.probability - weight @ scored.label]
    for trust in (0.0, positives, 1e9):
        monkeypatch.setattr(calibration_fit, "_TRUST", trust)
        fit_calibration(model, examples)
        after = scoring.score(model, examples, "validation")
        excess.append(weight @ after.probability - weight @ after.label)
        model.set_weights(start)
    assert excess[0] > 10
    np.testing.assert_allclose(excess[1:], [0, excess[0] / 2, excess[0]], atol=0.02)


@pytest.mark.parametrize("far", [-9.0, 9.0])
def test_a_model_that_is_wrong_by_more_than_its_bias_stays(tmp_path, far):
    examples = synthetic.write_example_set(
        str(tmp_path / "set"), synthetic.SCHEMA, {"validation": 20}
    )
    model = built()
    model.head.shift(far)
    start = model.get_weights()
    assert fit_calibration(model, examples) == Calibration()
    for one, other in zip(start, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
