"""Side features against NumPy, with random tables."""

import numpy as np
import tensorflow as tf

from features.ids import hashing
from features.schema import SideFeature
from models.layers.side_features import SideFeatures
from tests.models.layers.reference_attention import randomize


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
