"""A set's fingerprint is the sum of its rows': any order, any partition, every value."""

import numpy as np
import pytest

from features.embeddings import embedding_set, similarity


def test_fingerprints_of_parts_add_up():
    random = np.random.default_rng(0)
    ids, times = random.permutation(5000), random.integers(-5, 5, 5000)
    vectors = random.normal(size=(5000, 13)).astype(np.float32)
    whole = embedding_set.from_vectors(ids, vectors, times)
    rows = embedding_set.row_fingerprints(ids, similarity.quantize(vectors)[0], times)
    part = random.integers(4, size=5000)
    sums = [rows[part == number].sum(dtype=np.uint64) for number in random.permutation(4)]
    assert embedding_set.sum_fingerprints(np.array(sums)) == whole.fingerprint
    assert len(set(rows.tolist())) == 5000  # more than are mixed at once


@pytest.mark.parametrize("width", [1, 7, 8, 9])
def test_every_value_counts_in_a_row_fingerprint(width):
    quantized = np.random.default_rng(width).integers(-127, 127, (1, width)).astype(np.int8)
    one = (np.array([5]), quantized, np.array([7]))
    found = {int(embedding_set.row_fingerprints(*one)[0])}
    found.add(int(embedding_set.row_fingerprints(np.array([7]), quantized, np.array([5]))[0]))
    found.add(int(embedding_set.row_fingerprints(one[0] + 1, *one[1:])[0]))
    found.add(int(embedding_set.row_fingerprints(*one[:2], one[2] + 1)[0]))
    padded = np.pad(quantized, ((0, 0), (0, 1)))
    found.add(int(embedding_set.row_fingerprints(one[0], padded, one[2])[0]))
    for column in range(width):
        changed = quantized.copy()
        changed[0, column] += 1
        found.add(int(embedding_set.row_fingerprints(one[0], changed, one[2])[0]))
    assert len(found) == 5 + width
