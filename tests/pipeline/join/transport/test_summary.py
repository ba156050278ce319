"""Summaries add up."""

import numpy as np
import pytest

from pipeline.join.transport import summary


def test_numbers_and_arrays_add_and_lists_are_concatenated():
    parts = [
        {"read": 1, "codes": {"text": np.array([1, 2])}, "rejected": [{"row": 3}]},
        {},
        {"read": 2, "codes": {"text": np.array([0, 5])}, "rejected": [{"row": 1}]},
    ]
    assert summary.plain(summary.merge_all(parts)) == {
        "read": 3,
        "codes": {"text": [1, 7]},
        "rejected": [{"row": 3}, {"row": 1}],
    }
    assert summary.merge_all([]) == {}


def test_a_shard_that_occurs_twice_is_an_error():
    with pytest.raises(ValueError, match="'sha256' occurs twice"):
        summary.merge({"sha256": "a"}, {"sha256": "b"})
