"""Rows of one candidate that disagree on a label, against a plain loop."""

import collections

import numpy as np
import pytest

from pipeline.join.partition import contradictions


@pytest.mark.parametrize("seed", range(5))
def test_against_a_loop(seed):
    random = np.random.default_rng(seed)
    user, item, request = random.integers(0, 6, (3, 200))
    labels = {name: random.integers(0, 2, 200).astype(np.float32) for name in ("click", "order")}
    labels["click"][request < 3] = 1
    expected = {}
    for name, values in labels.items():
        seen = collections.defaultdict(set)
        for key, value in zip(zip(user, item, request, strict=True), values, strict=True):
            seen[key].add(value)
        expected[name] = sum(len(values) == 2 for values in seen.values())
    assert contradictions.count(user, item, request, labels) == expected
    assert expected["order"] > expected["click"] > 0


def test_nothing_is_counted_where_no_rows_disagree():
    ids = np.array([1, 1, 2])
    for labels in ({"click": np.array([1, 1, 0])}, {}):
        assert contradictions.count(ids, ids, ids, labels) == {}
    assert contradictions.count(ids[:0], ids[:0], ids[:0], {"click": ids[:0]}) == {}
