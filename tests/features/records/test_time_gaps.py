"""Time gaps of one request, against a plain loop."""

import itertools

import numpy as np
import pytest

from features.records import time_gaps


def in_order(gaps):
    """Whether no behavior with a time is before one that is older, looking at neighbors."""
    return all(a <= 0 or b <= a for a, b in itertools.pairwise(gaps))


@pytest.mark.parametrize("seed", range(20))
def test_order_against_a_loop(seed):
    random = np.random.default_rng(seed)
    gaps = random.integers(0, 4, random.integers(0, 7))
    assert (time_gaps.problem(gaps) is None) == in_order(gaps.tolist())


@pytest.mark.parametrize(
    ("gaps", "part"),
    [
        ([5, -1], "received from -1 to 5"),
        ([time_gaps.LONGEST + 1], "(40 years), not a time and not milliseconds; received from"),
        ([1_780_000_000, 1_700_000_000], "to 1780000000"),
        ([3, 4], "received 3 before 4"),
    ],
)
def test_what_is_wrong_is_said(gaps, part):
    assert part in time_gaps.problem(np.array(gaps))


def test_what_can_be():
    for gaps in ([], [0], [0, 0, 9, 9, 0], [time_gaps.LONGEST]):
        assert time_gaps.problem(np.array(gaps, np.int64)) is None
