"""Only the loss knows where candidates were shown: scores and exports do not."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from features.schema import CANDIDATE_POSITION, CANDIDATES
from models import factory, trained_model
from models.inputs import candidate_mixing
from models.layers.position_bias import PositionBias
from models.model_config import ModelConfig
from serving_signatures import names
from serving_signatures.signatures import ServingSignatures
from tests import synthetic
from tests.models.test_model_zoo import CONFIG, requests

SCHEMA = dataclasses.replace(synthetic.SCHEMA, positioned=True)


def positioned_model(**fields):
    config = ModelConfig(**{**CONFIG, "name": "dmf", "auxiliary_loss": 0.0, **fields})
    model = factory.build_model(config, SCHEMA, synthetic.item_ids())
    model.position_bias._table.assign(np.linspace(0.3, -0.3, 32).astype(np.float32))
    return model


def positioned_batch(shift=0):
    batch = synthetic.batch_of(requests(20))
    shape = batch[CANDIDATES.mask].shape
    places = np.broadcast_to(np.arange(shape[1]) + shift, shape).astype(np.float32)
    return {**batch, CANDIDATE_POSITION: tf.constant(places)}


def test_the_loss_is_that_of_the_score_and_the_effect_of_the_position():
    model, batch = positioned_model(), positioned_batch(2)
    rows = np.minimum(batch[CANDIDATE_POSITION].numpy().astype(int), 31)
    logit = model(batch).numpy() + 10 * np.linspace(0.3, -0.3, 32)[rows]
    label, mask = batch["click"].numpy(), batch[CANDIDATES.mask].numpy()
    losses = np.logaddexp(0, np.where(label > 0, -logit, logit))
    assert float(model.compute_loss(batch)) == pytest.approx(losses[mask].mean(), rel=1e-5)
    assert not np.isclose(model.compute_loss(batch), model.compute_loss(positioned_batch()))


def test_a_click_and_conversion_is_observed_at_a_position_too():
    model, batch = positioned_model(conversion_label="conversion"), positioned_batch()
    plain = model.logits_by_label(batch)
    model.position_bias._table.assign(tf.fill([32], 0.2))
    args = (*model.candidates_and_interest(batch), model.candidate_content(batch), batch)
    moved = model.logits(*args, added=model.effect_of_position(batch))
    np.testing.assert_allclose(moved["click"], plain["click"] + 2, atol=1e-5)
    ratio = tf.sigmoid(plain["conversion"]) / tf.sigmoid(plain["click"])
    after = tf.sigmoid(moved["conversion"]) / tf.sigmoid(moved["click"])
    mask = batch[CANDIDATES.mask]
    np.testing.assert_allclose(after[mask], ratio[mask], rtol=1e-3)


def test_scores_read_no_position_and_requests_have_none():
    model, batch = positioned_model(), positioned_batch()
    np.testing.assert_array_equal(model(batch), model(positioned_batch(5)))
    plain = {name: values for name, values in batch.items() if name != CANDIDATE_POSITION}
    np.testing.assert_array_equal(model(batch), model(plain))
    function = ServingSignatures(model, {}).functions[names.SCORE_REQUEST]
    inputs = function.structured_input_signature[1]
    assert CANDIDATE_POSITION not in inputs and CANDIDATES.item_id in inputs


def test_a_stored_model_has_its_effects_and_reads_records_without_positions(tmp_path):
    model = positioned_model()
    trained_model.write_trained_model(str(tmp_path / "model"), model, {})
    again = trained_model.read_trained_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(again.position_bias._table, model.position_bias._table)
    examples = synthetic.write_example_set(str(tmp_path / "set"), splits={"test": 9})
    trained_model.check_schema(again, examples)


def test_none_is_learned_without_positions_or_rows_for_them():
    config = ModelConfig(**CONFIG)
    build = factory.build_model
    assert build(config, synthetic.SCHEMA, synthetic.item_ids()).position_bias is None
    without = dataclasses.replace(config, position_buckets=0)
    assert build(without, SCHEMA, synthetic.item_ids()).position_bias is None
    with pytest.raises(ValueError, match="at least 2, received 1"):
        PositionBias(1, "click")


def test_each_mixed_candidate_keeps_its_position():
    batch = positioned_batch(1)
    mixed = candidate_mixing.single_candidates(batch, SCHEMA)
    expected = batch[CANDIDATE_POSITION][batch[CANDIDATES.mask]]
    np.testing.assert_array_equal(mixed[CANDIDATE_POSITION][:, 0], expected)


def test_effects_start_at_the_log_odds_of_the_positions():
    rng = np.random.default_rng(0)
    model = positioned_model()
    places = rng.integers(0, 40, 400_000)
    logit = -1 - 0.5 * np.log2(1 + np.minimum(places, 31))
    labels = (rng.random(len(places)) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    batch = {CANDIDATE_POSITION: places.astype(np.float32), "click": labels}
    # What stands in the places of padding must not count.
    batch = {name: np.stack([values, np.zeros_like(values)], 1) for name, values in batch.items()}
    mask = np.broadcast_to([True, False], (len(places), 2))
    batch = {name: tf.constant(values) for name, values in batch.items()}
    model.position_bias.adapt([{**batch, CANDIDATES.mask: tf.constant(mask)}])
    effect = model.position_bias(tf.range(32)[None]).numpy()[0]
    expected = -0.5 * np.log2(1 + np.arange(32))
    np.testing.assert_allclose(effect - effect[0], expected, atol=0.15)
