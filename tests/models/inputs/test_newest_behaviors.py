"""Attention over the newest behaviors against truncation by hand; features of all behaviors."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models import factory
from models.inputs import newest_behaviors
from models.model_config import ModelConfig
from tests import synthetic
from tests.models.training.test_fit import batch_of

L = synthetic.SCHEMA.history_length


def cut_by_hand(batch, count):
    """Each request by itself, in NumPy: its last `count` behaviors, padded again."""
    cut = {name: tensor.numpy().copy() for name, tensor in batch.items()}
    width = min(count, cut["history_mask"].shape[1])
    lengths = cut["history_mask"].sum(1)
    for name, values in batch.items():
        if name.startswith(("history_", "similarity_")):
            axis = 1 if name.startswith("history_") else 2
            rows = []
            for value, length in zip(values.numpy(), lengths, strict=True):
                first = max(length - count, 0)
                taken = np.take(value, np.arange(first, first + width), axis=axis - 1)
                rows.append(taken)
            cut[name] = np.stack(rows)
    return cut


@pytest.mark.parametrize("count", [1, 3, L, L + 5])
def test_histories_keep_their_newest(count):
    batch = batch_of(40)
    names = synthetic.SCHEMA.modality_names
    received = newest_behaviors.truncate_history(batch, count, names)
    expected = cut_by_hand(batch, count)
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(received[name].numpy(), value, err_msg=name)
    kept = received["history_mask"].numpy().sum(1)
    np.testing.assert_array_equal(kept, np.minimum(batch["history_mask"].numpy().sum(1), count))
    assert {0, min(count, L)} <= set(kept)


def test_padding_in_front_does_not_count():
    mask = tf.constant([[False, False, True, True, False]])
    batch = {"history_mask": mask, "history_item_id": tf.constant([[7, 7, 1, 2, 7]])}
    batch["similarity_text"] = tf.constant([[[9, 9, 3, 4, 9], [9, 9, 5, 6, 9]]], tf.uint8)
    cut = newest_behaviors.truncate_history(batch, 1, ["text"])
    assert cut["history_item_id"].numpy().tolist() == [[2]]
    assert cut["similarity_text"].numpy().tolist() == [[[4], [6]]]


@pytest.mark.parametrize("shape", [(1, 1, 0), (3, 1, 9), (2, 5, 4), (1, 3, 1)])
def test_codes_are_cut_at_any_place_and_size(shape):
    rng = np.random.default_rng(sum(shape))
    codes = rng.integers(0, 256, shape).astype(np.uint8)
    ends = rng.integers(0, shape[2] + 1, shape[0])
    mask = np.arange(shape[2]) < ends[:, None]
    batch = {"history_mask": tf.constant(mask), "similarity_text": tf.constant(codes)}
    cut = newest_behaviors.truncate_history(batch, 3, ["text"])["similarity_text"].numpy()
    width = min(3, shape[2])
    first = np.maximum(ends - width, 0)
    expected = [one[:, start : start + width] for one, start in zip(codes, first, strict=True)]
    np.testing.assert_array_equal(cut, np.stack(expected))


@functools.cache
def random_model(name, length):
    config = ModelConfig(
        name=name,
        embedding_width=8,
        head_width=8,
        hidden=(16,),
        side_buckets=16,
        attention_length=length,
    )
    sets = synthetic.embedding_sets()
    keras.utils.set_random_seed(0)  # What MAKE trains first is not trainable here.
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids()[:-5], sets)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    return model


def interest_of(model, batch):
    return model.candidates_and_interest(batch)[1].numpy()


@pytest.mark.parametrize("name", sorted(factory.MODELS))
def test_every_model_attends_to_the_newest_alone(name):
    short, whole = random_model(name, 3), random_model(name, 0)
    batch = batch_of(40)
    attended = {
        **batch,
        **newest_behaviors.truncate_history(batch, 3, synthetic.SCHEMA.modality_names),
    }
    history = whole.item_embedding(attended["history_item_id"])
    candidates = whole.item_embedding(batch["candidate_item_id"])
    expected = whole.fuse(whole.interest(candidates, history, attended), batch).numpy()
    np.testing.assert_allclose(interest_of(short, batch), expected, atol=1e-5)
    assert np.abs(interest_of(whole, batch) - expected).max() > 0.01


@pytest.mark.parametrize("name", ["simtier", "sa_ta_tiers", "sim_score", "dmf"])
def test_similarity_to_old_behaviors_still_counts(name):
    model, batch = random_model(name, 3), dict(batch_of(40))
    before = interest_of(model, batch)
    long = batch["history_mask"].numpy().sum(1) > 3
    codes = batch["similarity_text"].numpy().copy()
    codes[:, :, 0] = np.where(codes[:, :, 0] > 0, 255 - codes[:, :, 0], 0)
    batch["similarity_text"] = tf.constant(codes)
    changed = np.abs(interest_of(model, batch) - before).max(axis=(1, 2)) > 1e-4
    assert changed[long].mean() > 0.5
