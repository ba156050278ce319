"""`IdEmbedding` looks up the rows that `features.ids.id_table` computes in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from features.ids import hashing, id_table
from models.layers.id_embedding import IdEmbedding
from tests.models.layers.reference_attention import randomize

VOCABULARY = np.array([-(2**60), -7, 0, 3, 5, 2**60])
IDS = np.array([[3, 4, 0], [-7, 2**60, -(2**63)], [2**63 - 1, 5, 6]])


def by_vocabulary(dropout=0.0, oov_buckets=4):
    layer = IdEmbedding(3, VOCABULARY, oov_buckets=oov_buckets, dropout=dropout)
    layer.build(None)
    randomize(layer, 0)
    return layer


def test_known_and_unknown_ids_have_the_rows_of_numpy():
    layer = by_vocabulary()
    rows = id_table.vocabulary_rows(IDS, VOCABULARY, 4)
    assert rows[0, 0] == 4 + 3  # 3 is fourth in the vocabulary
    assert rows[0, 1] < 4
    np.testing.assert_array_equal(layer.rows(tf.constant(IDS)), rows)
    np.testing.assert_array_equal(layer(tf.constant(IDS)), layer.table.numpy()[rows])
    assert layer.table.shape == (4 + 6, 3)


def test_hashed_ids_have_the_rows_of_numpy_and_never_an_unknown_ids_row():
    layer = IdEmbedding(3, hashed_buckets=7, oov_buckets=2)
    ids = np.arange(-200, 200)
    rows = layer.rows(tf.constant(ids)).numpy()
    np.testing.assert_array_equal(rows, id_table.hashed_rows(ids, 7, 2))
    np.testing.assert_array_equal(layer(tf.constant(ids)), layer.table.numpy()[rows])
    assert set(rows) == set(range(2, 9))


def test_dropout_acts_in_training_only_and_sends_ids_to_their_unknown_row_only():
    layer = by_vocabulary(dropout=0.3)
    ids = np.random.default_rng(0).choice(VOCABULARY, 5000)
    table = layer.table.numpy()
    known = table[id_table.vocabulary_rows(ids, VOCABULARY, 4)]
    unknown = table[hashing.bucket(ids, 4)]
    np.testing.assert_array_equal(layer(tf.constant(ids)), known)
    np.testing.assert_array_equal(layer(tf.constant(ids), training=False), known)
    tf.random.set_seed(0)
    trained = layer(tf.constant(ids), training=True).numpy()
    dropped = (trained == unknown).all(-1)
    assert ((trained == known).all(-1) ^ dropped).all()
    assert dropped.mean() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "hashed_buckets >= 1"),
        ({"vocabulary": np.zeros(0, np.int64)}, "vocabulary is empty"),
        ({"hashed_buckets": 2, "dropout": 1.0}, "dropout in"),
        ({"hashed_buckets": 2, "oov_buckets": 0}, "oov_buckets must be at least 1"),
    ],
)
def test_constructor_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        IdEmbedding(3, **arguments)
