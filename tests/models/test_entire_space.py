"""Two labels over all impressions against NumPy: product, loss, gradients, metrics, refusals."""

import copy
import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from scipy import special

from features.errors import UserInputError
from models import entire_space, factory
from models.evaluation import metrics, scoring
from models.model_config import ModelConfig
from models.training import fit
from models.training.config import TrainingConfig
from tests import synthetic
from tests.models.training.test_fit import batch_of

TINY = {
    "embedding_width": 8,
    "head_width": 8,
    "hidden": (16,),
    "tier_width": 4,
    "projection_width": 4,
    "side_buckets": 16,
    "id_dropout": 0.0,
}


def random_model(name="dmf", seed=0, **changes):
    config = ModelConfig(name=name, **{**TINY, "conversion_label": "conversion", **changes})
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids()[:-5])
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    return model


shared_model = functools.cache(random_model)
"""For tests that change no weight."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


def batch_with_conversions(count=30, seed=5):
    """A batch in which about half of the clicks convert."""
    batch = dict(batch_of(count, seed))
    chance = np.random.default_rng(seed).random(batch["click"].shape) < 0.5
    batch["conversion"] = batch["click"] * tf.cast(chance, tf.float32)
    return batch


def log_loss(label, logit):
    """In float64, of any logit."""
    label, logit = np.asarray(label, np.float64), np.asarray(logit, np.float64)
    return np.mean(np.logaddexp(0, logit) - label * logit)


def test_joint_logit_is_of_the_product():
    a, b = np.random.default_rng(0).normal(0, 4, (2, 3, 50)).astype(np.float32)
    expected = special.logit(special.expit(a.astype(float)) * special.expit(b.astype(float)))
    received = entire_space.joint_logit(tf.constant(a), tf.constant(b)).numpy()
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)
    assert (received <= np.minimum(a, b) + 1e-6).all()


@pytest.mark.parametrize("a", [-80.0, 0.0, 80.0])
@pytest.mark.parametrize("b", [-80.0, 0.0, 80.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_sure_towers_have_finite_losses_and_gradients(a, b, label):
    with tf.GradientTape() as tape:
        towers = tf.constant([a, b])
        tape.watch(towers)
        joint = entire_space.joint_logit(towers[0], towers[1])
        loss = tf.nn.sigmoid_cross_entropy_with_logits(tf.constant(label), joint)
    gradient = tape.gradient(loss, towers).numpy()
    assert np.isfinite(gradient).all()
    exact = -np.logaddexp(np.logaddexp(-a, -b), -a - b)
    np.testing.assert_allclose(loss.numpy(), log_loss(label, exact), rtol=1e-5, atol=1e-6)
    if label and min(a, b) < -1:
        assert gradient.min() < -0.4  # a sure mistake is still corrected


@pytest.mark.parametrize("name", ["dmf", "id_only"])
def test_loss_is_the_sum_over_both_labels(name):
    model, batch = shared_model(name), batch_with_conversions()
    mask = batch["candidate_mask"].numpy()
    logits = {label: one.numpy()[mask] for label, one in model.logits_by_label(batch).items()}
    expected = sum(log_loss(batch[label].numpy()[mask], one) for label, one in logits.items())
    np.testing.assert_allclose(model.compute_loss(batch).numpy(), expected, rtol=1e-5)
    assert (logits["conversion"] < logits["click"]).all()
    assert np.ptp(logits["conversion"] - logits["click"]) > 0.1


def test_conversions_teach_the_tower_of_clicks():
    model, batch = shared_model("dmf"), batch_with_conversions()
    mask = batch["candidate_mask"]
    with tf.GradientTape() as tape:
        joint = tf.boolean_mask(model.logits_by_label(batch)["conversion"], mask)
        labels = tf.boolean_mask(batch["conversion"], mask)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, joint))
    heads = [*model.head.trainable_variables, *model.conversion_head.trainable_variables]
    assert all(np.abs(one).max() > 0 for one in tape.gradient(loss, heads))


def test_the_main_label_is_scored_as_without_the_second():
    with_both = shared_model("dmf")
    alone = random_model(conversion_label=None)
    for part in ("head", "product"):
        pairs = (getattr(model, part).trainable_variables for model in (alone, with_both))
        for one, other in zip(*pairs, strict=True):
            one.assign(other)
    batch = batch_with_conversions()
    candidates, interest = with_both.candidates_and_interest(batch)
    content = with_both.candidate_content(batch)
    expected = with_both.logits(candidates, interest, content, batch)["click"]
    received = alone.logits(candidates, interest, content, batch)
    assert list(received) == ["click"]
    np.testing.assert_array_equal(received["click"], expected)


def test_without_a_second_label_loss_and_gradients_are_those_of_one_task():
    model = random_model(conversion_label=None, embedding_l2=0.0)
    assert not any("conversion" in variable.name for variable in model.variables)
    batch = batch_with_conversions()
    mask, labels = batch["candidate_mask"], batch["click"]

    def one_task():
        embedding, interest = model.candidates_and_interest(batch, True)
        both = model(batch, training=True), model.auxiliary_head((embedding, interest))
        main, auxiliary = (
            tf.reduce_mean(
                tf.nn.sigmoid_cross_entropy_with_logits(
                    tf.boolean_mask(labels, mask), tf.boolean_mask(logits, mask)
                )
            )
            for logits in both
        )
        return main + model.config.auxiliary_loss * auxiliary

    found = []
    for loss_of in (lambda: model.compute_loss(batch, training=True), one_task):
        with tf.GradientTape() as tape:
            loss = loss_of()
        gradients = tape.gradient(loss, model.trainable_variables)
        found.append([loss.numpy(), *(tf.convert_to_tensor(one).numpy() for one in gradients)])
    for received, expected in zip(*found, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-7)


def test_metrics_of_both_labels(examples):
    model = shared_model("dmf")
    scored = scoring.score(model, examples, "test")
    figures = scoring.evaluate(scored, scoring.train_counts(examples))
    assert list(figures["labels"]) == ["conversion"]
    conversion = figures["labels"]["conversion"]
    found = scored.conversions["conversion"]
    assert conversion["auc"] == metrics.auc(found.label, found.probability)
    assert (found.probability <= scored.probability).all()
    clicked = scored.label > 0
    assert conversion["of_positives"]["candidates"] == clicked.sum()
    without = scoring.score(random_model(conversion_label=None), examples, "test")
    assert scoring.evaluate(without, scoring.train_counts(examples))["labels"] == {}


def cheap_clicks_convert(count, seed):
    """Requests in which a click converts where the price is low, which no click depends on."""
    batch = dict(batch_of(count, seed))
    cheap = tf.cast(batch["candidate_price"][..., 0] < 0, tf.float32)
    batch["conversion"] = batch["click"] * cheap
    return batch


def area(batch, label, logits):
    mask = batch["candidate_mask"].numpy()
    return metrics.auc(batch[label].numpy()[mask], logits[label].numpy()[mask])


@pytest.mark.slow
@pytest.mark.parametrize("learnable", [True, False])
def test_conversions_are_ranked_by_more_than_the_chance_of_a_click(learnable):
    keras.utils.set_random_seed(3)
    config = ModelConfig(name="id_only", **TINY, conversion_label="conversion")
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    train, test = cheap_clicks_convert(400, 7), cheap_clicks_convert(200, 8)
    if not learnable:  # the control: as many conversions, of any clicks
        shuffled = np.random.default_rng(0).permuted(train["conversion"].numpy().ravel())
        train["conversion"] = train["click"] * shuffled.reshape(train["click"].shape)
    model.fit(tf.data.Dataset.from_tensors(train).repeat(), steps_per_epoch=40, verbose=0)
    logits = model.logits_by_label(test)
    gain = area(test, "conversion", logits) - area(
        test, "conversion", {"conversion": logits["click"]}
    )
    assert gain > 0.1 if learnable else gain < 0.05


@pytest.mark.slow
def test_training_learns_both(examples, tmp_path):
    config = ModelConfig(**TINY, conversion_label="conversion")
    steps = TrainingConfig(batch_candidates=64, epochs=2, evaluations_per_epoch=2)
    model, figures = fit.train(examples, config, steps, str(tmp_path / "model"))
    scored = scoring.score(model, examples, "test")
    found = scored.conversions["conversion"]
    assert metrics.auc(found.label, found.probability) > 0.62
    shuffled = np.random.default_rng(0).permutation(found.label)
    assert abs(metrics.auc(shuffled, found.probability) - 0.5) < 0.06
    assert {"conversion_auc", "val_conversion_logloss"} <= set(figures["history"][-1])


def test_labels_the_other_way_round_are_refused_before_training(examples, tmp_path):
    manifest = copy.deepcopy(examples.manifest)
    manifest["splits"]["train"]["positives"] = {"click": 1200, "conversion": 90}
    examples = dataclasses.replace(examples, manifest=manifest)
    config = ModelConfig(**TINY, label="conversion", conversion_label="click")
    message = r"'click' with 1,200 positives.*90 of those.*model\.label=click and model\.conv"
    with pytest.raises(UserInputError, match=message):
        fit.train(examples, config, TrainingConfig(), str(tmp_path / "model"))
    assert not (tmp_path / "model").exists()
    entire_space.check_positives("conversion", "click", {"click": 1200, "conversion": 90})
    entire_space.check_positives("conversion", "click", {"click": 1200})


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("click", r"conversion_label is 'click', which is model\.label too.*\['conversion'\]"),
        ("order", r"conversion_label is 'order'.*--labels click,order"),
    ],
)
def test_an_impossible_second_label_is_refused(label, message):
    with pytest.raises(UserInputError, match=message):
        random_model(conversion_label=label)
