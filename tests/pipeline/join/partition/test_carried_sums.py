"""Sums that go on from an earlier part equal those of all additions at once, to the bit."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.join.partition.carried_sums import CarriedSums
from pipeline.join.partition.cumulative_sums import Additions, CumulativeSums
from pipeline.join.rules import splits

# Sums of these depend on the order in which they are added.
VALUE = st.sampled_from([0.1, 1e17, -1e17, 3.3, -0.0])
ADDITION = st.tuples(st.integers(0, 5), st.integers(0, 59), VALUE, VALUE)
NOTHING = Additions(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 2)))


def additions(rows):
    ids, times, *values = (np.array([row[k] for row in rows]) for k in range(4))
    return Additions(
        ids.astype(np.int64), times.astype(np.int64), np.stack(values, 1).astype(float)
    )


@settings(max_examples=200)
@given(
    st.lists(ADDITION, min_size=1, max_size=60),
    st.lists(st.integers(1, 59), max_size=5),
    st.integers(0, 25),
)
def test_each_part_knows_what_one_log_would(rows, cuts, delay):
    whole = additions(sorted(rows, key=lambda row: row[1]))
    sums = CumulativeSums(whole.ids, whole.times, whole.values)
    left = NOTHING
    ids = np.arange(7)
    for begin, end in itertools.pairwise([0, *sorted(set(cuts)), 60]):
        own = whole.taken((whole.times >= begin) & (whole.times < end))
        carried = CarriedSums(left, own, ids[:3])
        for moment in range(begin - delay, end):
            # Ids 3 and 4 are asked for only where they occur, 6 never occurs.
            asked = np.append(ids[:3], np.unique(own.ids))
            times = np.full(len(asked), moment)
            found, wanted = carried.before(asked, times), sums.before(asked, times)
            np.testing.assert_array_equal(found.view(np.int64), wanted.view(np.int64))
        left = carried.settled(end - delay)
        known = whole.times < end
        # One row for what is settled of an id, and the additions that a request may not know yet.
        assert len(left.ids) <= len(np.unique(whole.ids)) + np.sum(
            known & (whole.times >= end - delay)
        )
        assert (left.times[left.times > splits.BEGIN] >= end - delay).all()


def test_ids_that_a_part_does_not_have_stay_as_they_are():
    left = CarriedSums(NOTHING, additions([(1, 5, 2.0, 0.5), (2, 9, 1.0, 1.0)]), NOTHING.ids)
    first = left.settled(8)
    assert first.times.tolist() == [splits.BEGIN, 9]
    second = CarriedSums(first, additions([(7, 20, 1.0, 1.0)]), NOTHING.ids).settled(21)
    assert second.ids.tolist() == [1, 2, 7]
    assert second.times.tolist() == [splits.BEGIN] * 3
    assert second.values.tolist() == [[2.0, 0.5], [1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("moment", [0, 100])
def test_nothing_leaves_nothing(moment):
    assert not len(CarriedSums(NOTHING, NOTHING, NOTHING.ids).settled(moment).ids)
