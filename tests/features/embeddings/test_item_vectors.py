"""Vectors of some items, as they are in an embedding set's files."""

import numpy as np
import pytest

from features.embeddings import embedding_files, embedding_set, item_vectors
from features.errors import UserInputError


def test_wanted_items_have_their_vectors_and_all_others_the_zero_row(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    embedding_set.write_embedding_set(str(tmp_path), np.array([9, 2, 5, 7]), vectors, "e", "1")
    found = item_vectors.read_item_vectors(
        embedding_files.open_files(str(tmp_path)), np.array([7, 2, 100])
    )
    np.testing.assert_array_equal(found.item_ids, [2, 7])
    np.testing.assert_array_equal(found.vectors, [vectors[1], vectors[3], np.zeros(3)])
    np.testing.assert_array_equal(found.available_at, [embedding_files.ALWAYS] * 3)
    np.testing.assert_array_equal(found.rows(np.array([[7, 9], [2, 8]])), [[1, 2], [0, 2]])


def test_the_first_of_several_vectors_of_an_item_is_kept():
    vectors = np.array([[1, 2], [3, 4], [5, 6]])
    found = item_vectors.of_items(np.array([8, 3, 8]), vectors, np.array([10, 20, 30]))
    np.testing.assert_array_equal(found.item_ids, [3, 8])
    np.testing.assert_array_equal(found.vectors, [[3, 4], [1, 2], [0, 0]])
    np.testing.assert_array_equal(found.available_at, [20, 10, embedding_files.ALWAYS])


def test_a_set_of_another_kind_of_ids_than_the_models_is_refused(tmp_path):
    embedding_set.write_embedding_set(str(tmp_path), np.array(["7"]), np.ones((1, 2)), "e", "1")
    files = embedding_files.open_files(str(tmp_path))
    for kind in ("string", None):
        assert len(item_vectors.read_item_vectors(files, np.array([7]), kind).vectors) == 1
    with pytest.raises(UserInputError, match=r"item ids are strings .* the model are integers"):
        item_vectors.read_item_vectors(files, np.array([7]), "integer")
