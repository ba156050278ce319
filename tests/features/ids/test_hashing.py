"""Hashes are pinned, because trained tables depend on them."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features import in_graph
from features.errors import UserInputError
from features.ids import hashing, id_table

IDS = arrays.arrays(np.int64, st.integers(0, 50))


def test_pinned_fingerprints():
    strings = np.array(["", "a", "user-1", "käyttäjä"], object)
    pinned = [-7286425919675154353, -5528939962900187677, 4922675799889375116, 6238043500548060078]
    assert hashing.fingerprint_strings(strings).tolist() == pinned


def test_pinned_buckets():
    ids = np.array([0, 1, 2, -1, 2**63 - 1, -(2**63)])
    assert hashing.bucket(ids, 1000).tolist() == [0, 394, 365, 533, 766, 525]
    assert hashing.bucket(ids, 1).tolist() == [0] * 6


def test_pinned_pairs():
    assert hashing.combine(np.array([1, 2]), np.array([2, 1])).tolist() == [
        3546261062695057275,
        1966774511708271291,
    ]


@given(st.lists(st.text(), max_size=20))
def test_fingerprint_equals_the_graph(strings):
    graph = in_graph.fingerprint_strings(tf.constant(strings, tf.string, [len(strings)]))
    encoded = np.array([string.encode() for string in strings], object)
    np.testing.assert_array_equal(hashing.fingerprint_strings(encoded), graph)
    np.testing.assert_array_equal(hashing.ids_of_column(pa.array(strings, pa.string())), graph)


@given(IDS, st.integers(1, 2**40))
def test_bucket_equals_the_graph(ids, buckets):
    rows = hashing.bucket(ids, buckets)
    np.testing.assert_array_equal(rows, in_graph.bucket(tf.constant(ids), buckets))
    assert np.all((rows >= 0) & (rows < buckets))


@given(IDS, st.integers(1, 63))
def test_multiplicative_hash_equals_the_graph(ids, bits):
    buckets = hashing.multiplicative(ids, bits)
    np.testing.assert_array_equal(buckets, in_graph.multiplicative(tf.constant(ids), bits))
    assert np.all((buckets >= 0) & (buckets < 2**bits))


def test_consecutive_ids_spread_evenly():
    counts = np.bincount(hashing.bucket(np.arange(100_000), 100), minlength=100)
    assert counts.min() > 850
    assert counts.max() < 1150


def test_integer_columns_are_their_own_ids():
    assert hashing.ids_of_column(pa.array([3, -1], pa.int32())).tolist() == [3, -1]
    assert np.ptp(hashing.ids_of_column(pa.chunked_array([["b"], ["a", "b"]]))[[0, 2]]) == 0


def test_unsigned_ids_are_the_integers_of_the_same_64_bits():
    column = pa.array([0, 7, 2**63 - 1, 2**63, 2**64 - 1], pa.uint64())
    assert hashing.ids_of_column(column).tolist() == [0, 7, 2**63 - 1, -(2**63), -1]
    assert hashing.ids_of_column(pa.chunked_array([column])).tolist()[-1] == -1


@given(IDS, IDS, st.integers(1, 5))
def test_vocabulary_rows_equal_the_graph(ids, vocabulary, oov_buckets):
    vocabulary = np.unique(vocabulary)
    ids = np.concatenate([ids, vocabulary])
    rows = id_table.vocabulary_rows(ids, vocabulary, oov_buckets)
    assert np.all((rows >= 0) & (rows < oov_buckets + len(vocabulary)))
    known = np.isin(ids, vocabulary)
    np.testing.assert_array_equal(vocabulary[rows[known] - oov_buckets], ids[known])
    assert np.all(rows[~known] < oov_buckets)
    if len(vocabulary):
        graph = in_graph.vocabulary_rows(tf.constant(ids), tf.constant(vocabulary), oov_buckets)
        np.testing.assert_array_equal(rows, graph)


@given(IDS, st.integers(1, 1000), st.integers(0, 3))
def test_hashed_rows_equal_the_graph(ids, buckets, oov_buckets):
    rows = id_table.hashed_rows(ids, buckets, oov_buckets)
    graph = in_graph.hashed_rows(tf.constant(ids), buckets, oov_buckets)
    np.testing.assert_array_equal(rows, graph)
    assert np.all((rows >= oov_buckets) & (rows < oov_buckets + buckets))


def test_vocabulary_file(tmp_path):
    path = str(tmp_path / "ids.txt")
    id_table.write_vocabulary(path, [5, -7, 5, 2**62])
    assert id_table.read_vocabulary(path).tolist() == [-7, 5, 2**62]


@pytest.mark.parametrize(
    ("text", "message"), [("1\nx\n", "one int64 id"), ("2\n1\n", "ascending"), ("1\n1\n", "ascend")]
)
def test_bad_vocabulary_file(tmp_path, text, message):
    (tmp_path / "ids.txt").write_text(text)
    with pytest.raises(UserInputError, match=message):
        id_table.read_vocabulary(str(tmp_path / "ids.txt"))


def test_absent_vocabulary_file(tmp_path):
    with pytest.raises(UserInputError, match="does not exist"):
        id_table.read_vocabulary(str(tmp_path / "ids.txt"))


def test_a_vocabulary_may_have_ids_further_apart_than_an_int64_counts(tmp_path):
    path = str(tmp_path / "item_id.txt")
    ids = np.array([-(2**63), 2**62, 2**63 - 1])
    id_table.write_vocabulary(path, ids[::-1])
    assert id_table.read_vocabulary(path).tolist() == ids.tolist()
