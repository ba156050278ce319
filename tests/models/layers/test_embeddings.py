"""`IdEmbedding` and `SideFeatures`: rows as `features.ids.id_table` says, in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from features.ids import hashing, id_table
from features.schema import SideFeature
from models.layers.id_embedding import IdEmbedding
from models.layers.side_features import SideFeatures
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


def test_categorical_features_are_the_mean_of_their_values_without_padding():
    side = SideFeatures([SideFeature("genres", "categorical", 3)], "candidate_", 16, 2)
    randomize(side, 0)
    values = np.array([[[5, 9, 11], [5, 0, 0], [0, 5, 9], [0, 0, 0], [5, 5, 9]]])
    (received,) = side({"candidate_genres": tf.constant(values)})
    table = side._tables["genres"].numpy()
    rows = {value: table[hashing.bucket(np.array([value]), 16)[0]] for value in (5, 9, 11)}
    expected = [
        (rows[5] + rows[9] + rows[11]) / 3,
        rows[5],
        (rows[5] + rows[9]) / 2,
        np.zeros(2),
        (2 * rows[5] + rows[9]) / 3,
    ]
    np.testing.assert_allclose(received[0], expected, atol=1e-6)


def test_numeric_features_are_squashed_and_features_keep_their_order_and_prefix():
    features = [SideFeature("price", "numeric", 2), SideFeature("year", "categorical")]
    side = SideFeatures(features, "context_")
    batch = {
        "context_year": tf.constant([[1999]], tf.int64),
        "context_price": tf.constant([[0.0, -3.5]]),
        "candidate_price": tf.constant([[7.0, 7.0]]),
    }
    price, year = side(batch)
    np.testing.assert_allclose(price, [[0, -np.log(4.5)]], atol=1e-6)
    np.testing.assert_array_equal(
        year, side._tables["year"].numpy()[hashing.bucket(np.array([1999]), 1024)]
    )
