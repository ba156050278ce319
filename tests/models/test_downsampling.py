"""Models of down-sampled negatives: logits of the whole log, exactly, and refusals."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from features.errors import UserInputError
from features.schema import Downsampling
from models import downsampling, factory
from models.model_config import ModelConfig
from tests import synthetic
from tests.models.test_entire_space import TINY, batch_with_conversions, log_loss

RATE = 0.1
SAMPLED = dataclasses.replace(synthetic.SCHEMA, downsampling=Downsampling("click", RATE))


def models(name="dmf", **changes):
    """The same weights on records of the whole log and of a sample."""
    # Without the prior: in training it is of other users than in evaluation.
    config = ModelConfig(name=name, prior_strength=0.0, **{**TINY, **changes})
    sets = synthetic.embedding_sets()
    pair = [
        factory.build_model(config, schema, synthetic.item_ids(), sets)
        for schema in (synthetic.SCHEMA, SAMPLED)
    ]
    rng = np.random.default_rng(0)
    for one, other in zip(*map(synthetic.float_weights, pair), strict=True):
        one.assign(0.3 * rng.standard_normal(one.shape))
        other.assign(one)
    return pair


@pytest.mark.parametrize("name", sorted(factory.MODELS))
def test_the_logit_moves_by_the_log_of_the_rate_except_in_training(name):
    whole, sampled = models(name)
    batch = batch_with_conversions()
    raw = whole(batch).numpy()
    np.testing.assert_allclose(sampled(batch), raw + np.log(RATE), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(sampled.logits_by_label(batch, training=True)["click"], raw)
    # As He et al. write it, of probabilities.
    p = special.expit(raw.astype(float))
    expected = p / (p + (1 - p) / RATE)
    np.testing.assert_allclose(tf.sigmoid(sampled(batch)), expected, rtol=1e-4)


def test_the_loss_of_training_is_of_the_records_and_that_of_evaluation_of_the_log():
    whole, sampled = models(auxiliary_loss=0.0)
    batch = batch_with_conversions()
    assert sampled.compute_loss(batch, training=True) == whole.compute_loss(batch, training=True)
    mask = batch["candidate_mask"].numpy()
    label, raw = batch["click"].numpy()[mask], whole(batch).numpy()[mask]
    expected = log_loss(label, raw + np.log(RATE))
    np.testing.assert_allclose(sampled.compute_loss(batch), expected, rtol=1e-5)


def test_both_labels_of_a_known_world_are_exact():
    """In a sample of a world with P(click) = .2 and P(order | click) = .3 both come back."""
    ctr, cvr = 0.2, 0.3
    # What a perfect model of the records learns, of the odds that sampling leaves.
    learned = {
        "click": special.logit(ctr / (ctr + RATE * (1 - ctr))),
        "conversion": special.logit(cvr),
    }
    _, model = models(conversion_label="conversion")
    for variable in model.product.trainable_variables:
        variable.assign(tf.zeros_like(variable))
    for name, head in (("click", model.head), ("conversion", model.conversion_head)):
        for variable in head.trainable_variables:
            variable.assign(tf.zeros_like(variable))
        head.shift(learned[name])
    found = model.logits_by_label(batch_with_conversions())
    np.testing.assert_allclose(tf.sigmoid(found["click"]), ctr, rtol=1e-5)
    np.testing.assert_allclose(tf.sigmoid(found["conversion"]), ctr * cvr, rtol=1e-5)


def test_another_label_is_refused():
    config = ModelConfig(**TINY, label="conversion")
    message = r"hold 0.1 of the negatives of 'click'.*Set model.label=click, or join with"
    with pytest.raises(UserInputError, match=message):
        factory.build_model(config, SAMPLED, synthetic.item_ids())


def test_conversions_of_negatives_are_refused():
    manifest = {"counts": {"downsampling": {"positives": {"conversion": 3}}}}
    with pytest.raises(UserInputError, match="3 negatives of 'click' are positives of 'conversi"):
        downsampling.check_conversions("click", "conversion", manifest)
    manifest["counts"]["downsampling"]["positives"]["conversion"] = 0
    downsampling.check_conversions("click", "conversion", manifest)
    downsampling.check_conversions("click", "conversion", {})


def test_a_label_that_records_lack_cannot_be_sampled():
    with pytest.raises(ValueError, match="negatives of 'like' were left out"):
        dataclasses.replace(synthetic.SCHEMA, downsampling=Downsampling("like", 0.1))
