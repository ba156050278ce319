"""Properties of every ranking model: padding, independence, gradients, storage, export."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.schema import BEHAVIORS, ITEM_AXES
from models import factory, trained_model
from models.model_config import ModelConfig
from tests import synthetic

CONFIG = {
    "embedding_width": 8,
    "head_width": 8,
    "hidden": (16,),
    "tier_width": 4,
    "projection_width": 4,
    "content_width": 3,
    "side_buckets": 16,
    "id_dropout": 0.0,
}
NAMES = sorted(factory.MODELS)


def random_model(name, seed=0, vectors=True, **fields):
    """A model whose every weight is random: initial zeros could hide a mistake."""
    config = ModelConfig(**{**CONFIG, "name": name, **fields})
    sets = synthetic.embedding_sets() if vectors else None
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids(), sets)
    rng = np.random.default_rng(seed)
    for variable in synthetic.float_weights(model):
        variable.assign(0.4 * rng.standard_normal(variable.shape))
    return model


shared_model = functools.cache(random_model)
"""For tests that change no weight: a build takes as long as three calls."""


def batch_of(requests):
    return synthetic.batch_of(requests)


def requests(count=12):
    return synthetic.random_requests(count=count, seed=3)


@functools.cache
def _parsed_requests(count):
    return batch_of(requests(count))


def drawn_batch(count=12):
    """The batch of `requests`, for the caller to change."""
    return dict(_parsed_requests(count))


@pytest.mark.parametrize("name", NAMES)
def test_neither_padding_nor_other_requests_and_candidates_change_a_score(name):
    model = shared_model(name)
    drawn = requests()
    # One of each number of candidates: another with as many is padded alike.
    rows = {len(one.candidate_item_id): row for row, one in enumerate(drawn[:6])}
    assert min(len(drawn[row].history_item_id) for row in rows.values()) == 0
    assert rows.keys() >= {1, 20}
    together = model(drawn_batch()).numpy()
    for row in rows.values():
        alone = model(batch_of([drawn[row]])).numpy()[0]
        np.testing.assert_allclose(together[row, : len(alone)], alone, atol=2e-5)
    assert np.std(together) > 0.05


@pytest.mark.parametrize("conversion_label", [None, "conversion"])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_trainable_variable(name, conversion_label):
    fields = {} if conversion_label is None else {"conversion_label": conversion_label}
    model = shared_model(name, **fields)
    batch = drawn_batch(60)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.name
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.name


def test_without_auxiliary_loss_no_variable_is_left_without_a_gradient():
    model, batch = random_model("simtier", auxiliary_loss=0.0), drawn_batch(60)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    assert None not in tape.gradient(loss, model.trainable_variables)


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_model_scores_alike(name, tmp_path):
    model = shared_model(name)
    trained_model.write_trained_model(str(tmp_path), model, {})
    again = trained_model.read_trained_model(str(tmp_path))
    batch = drawn_batch()
    np.testing.assert_array_equal(model(batch), again(batch))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_item_and_an_item_without_embedding_have_finite_scores(name):
    model, batch = shared_model(name), drawn_batch()
    batch["candidate_item_id"] = tf.ones_like(batch["candidate_item_id"]) * 987_654_321
    batch["history_item_id"] = tf.ones_like(batch["history_item_id"]) * -5
    for modality in synthetic.SCHEMA.modality_names:
        batch[f"similarity_{modality}"] = tf.zeros_like(batch[f"similarity_{modality}"])
    assert np.isfinite(model(batch)).all()


@pytest.mark.parametrize(
    "name", [one for one in NAMES if factory.MODELS[one].reads_vectors == "if_given"]
)
def test_without_vectors_a_model_attends_by_similarity_alone(name, tmp_path):
    model = random_model(name, vectors=False)
    batch = drawn_batch(60)
    assert model.content_tables == {}
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.abs(tf.convert_to_tensor(one)).max() > 0 for one in gradients)
    trained_model.write_trained_model(str(tmp_path), model, {})
    again = trained_model.read_trained_model(str(tmp_path))
    assert again.content_tables == {}
    np.testing.assert_array_equal(model(batch), again(batch))


@pytest.mark.parametrize("name", NAMES)
def test_vectors_of_requests_are_those_that_are_looked_up(name):
    model, batch = shared_model(name), drawn_batch()
    looked_up = {}
    for axis in ITEM_AXES:
        for modality, one in synthetic.embedding_sets().items():
            rows = one.rows(batch[axis.item_id].numpy().reshape(-1))
            vectors = one.quantized[rows].reshape(*batch[axis.item_id].shape, -1)
            looked_up[axis.embedding(modality)] = tf.constant(vectors)
    sent = batch | looked_up
    # The head of every model with content reads those of candidates.
    batch |= {name: one for name, one in looked_up.items() if name in batch}
    np.testing.assert_allclose(model(sent), model(batch), atol=2e-5)
    for modality in synthetic.SCHEMA.modality_names:
        feature = BEHAVIORS.embedding(modality)
        sent[feature] = tf.reverse(sent[feature], [-1])
    changed = np.abs(model(sent).numpy() - model(batch).numpy()).max() > 0.01
    assert changed == (name in ("dmf", "dta", "raw_vectors"))


@pytest.mark.parametrize("name", ["raw_vectors", "make", "dmf"])
def test_a_model_that_reads_vectors_says_which_are_missing(name):
    config = ModelConfig(**{**CONFIG, "name": name})
    one = {"text": synthetic.embedding_sets()["text"]}
    with pytest.raises(UserInputError, match=r"none of \['image'\]: pass --embeddings"):
        factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids(), one)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"id_only", "din"}))
def test_content_matters_where_the_model_reads_it_and_only_there(name):
    model, batch = random_model(name), drawn_batch()
    before = model(batch).numpy()
    if model.content_tables:
        for table in model.content_tables.values():
            table._quantized.assign(tf.roll(table._quantized, 3, 0))
        after = model(batch).numpy()
        assert np.abs(after - before).max() > 0.01
        before = after
    for modality in synthetic.SCHEMA.modality_names:
        codes = batch[f"similarity_{modality}"]
        batch[f"similarity_{modality}"] = tf.where(
            codes > 0, tf.cast(256 - tf.cast(codes, tf.int32), tf.uint8), codes
        )
    changed = np.abs(model(batch).numpy() - before).max() > 0.01
    assert changed == (name not in ("raw_vectors", "make"))


@pytest.mark.parametrize("name", ["id_only", "din"])
def test_models_on_ids_do_not_see_content(name):
    model, batch = shared_model(name), drawn_batch()
    content = ("similarity_", "candidate_embedding_")
    without = {key: value for key, value in batch.items() if not key.startswith(content)}
    np.testing.assert_array_equal(model(batch), model(without))
