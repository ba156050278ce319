"""The hash index finds what a search finds."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features import in_graph
from features.embeddings import embedding_set
from features.ids import id_index, id_table
from models.layers.content_table import ContentTable

SOME_IDS = arrays.arrays(np.int64, st.integers(1, 60), elements=st.integers(-30, 30))
ANY_IDS = arrays.arrays(np.int64, st.integers(1, 60))


def looked_up(wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Positions in `known`, its size where absent, by way of the index."""
    index = id_index.index(known)
    assert index.starts.max() + index.longest <= len(known)
    found = in_graph.indexed_positions(
        tf.constant(wanted),
        tf.constant(known[index.order]),
        tf.constant(index.starts),
        index.longest,
    )
    return np.append(index.order, len(known))[found]


@given(st.one_of(SOME_IDS, ANY_IDS), st.one_of(SOME_IDS, ANY_IDS))
def test_index_equals_search(known, wanted):
    known = np.unique(known)
    wanted = np.concatenate([wanted, known, [0]])
    np.testing.assert_array_equal(looked_up(wanted, known), id_table.positions(wanted, known))


@pytest.mark.parametrize("step", [1, 64, 2**40, 2**44 + 2])
def test_ids_in_steps_share_few_buckets(step):
    ids = np.arange(100_000, dtype=np.int64) * step
    index = id_index.index(ids)
    assert index.longest <= 10
    assert len(index.starts) == 2**17
    np.testing.assert_array_equal(looked_up(ids[::7], ids), np.arange(0, len(ids), 7))


def test_any_order_of_ids_gives_one_layout():
    ids = np.random.default_rng(0).permutation(1000)
    index, sorted_index = id_index.index(ids), id_index.index(np.sort(ids))
    np.testing.assert_array_equal(ids[index.order], np.sort(ids)[sorted_index.order])
    np.testing.assert_array_equal(index.starts, sorted_index.starts)


@pytest.mark.parametrize("ids", [[], [4, 5, 4]])
def test_no_id_and_repeated_ids_are_refused(ids):
    with pytest.raises(ValueError, match="id"):
        id_index.index(np.array(ids, np.int64))


def test_a_content_table_gives_each_id_its_row_and_others_none():
    rng = np.random.default_rng(0)
    ids = rng.choice(10**12, 500, replace=False)
    values = embedding_set.from_vectors(ids, rng.standard_normal((500, 5)).astype(np.float32))
    table = ContentTable(values, "text")
    wanted = np.concatenate([rng.permutation(ids), [-1, 10**12, 0]]).reshape(1, -1)
    quantized, norms = table.lookup(tf.constant(wanted))
    rows = values.rows(wanted)
    np.testing.assert_array_equal(quantized, values.quantized[rows])
    np.testing.assert_array_equal(norms, values.norms[rows])
    kept_ids, kept = table.vectors()
    np.testing.assert_array_equal(kept, values.quantized[values.rows(kept_ids)])
