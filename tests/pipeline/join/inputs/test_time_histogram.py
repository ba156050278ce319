"""The histogram of times: its cut times, and merging."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.join.inputs import time_histogram
from pipeline.join.inputs.time_histogram import TimeHistogram
from pipeline.join.rules import splits


def test_global_cut_puts_ties_into_the_later_split():
    times = np.array([1, 2, 3, 4, 5, 6, 7, 8, 8, 9])
    cuts = TimeHistogram.of(times).cut_times((0.7, 0.1, 0.2))
    assert cuts == (8, 8)
    assigned = splits.assign_by_time(splits.split_at(cuts), times)
    assert assigned.tolist() == [0] * 7 + [2, 2, 2]


@given(
    st.lists(st.lists(st.integers(0, 10_000), max_size=30), max_size=6),
    st.randoms(),
    st.integers(2, 20),
)
def test_histogram_does_not_depend_on_the_order_of_merging(parts, random, largest):
    whole = TimeHistogram.of(np.array([time for part in parts for time in part], np.int64), largest)
    random.shuffle(parts)
    merged = TimeHistogram.of(np.zeros(0, np.int64))
    for part in parts:
        one = TimeHistogram.of(np.array(part, np.int64), largest)
        merged = time_histogram.merge_all([merged, one], largest)
    assert merged.level == whole.level
    assert merged.times.tolist() == whole.times.tolist()
    assert merged.counts.tolist() == whole.counts.tolist()
    assert len(whole.times) <= largest


def test_merging_adds():
    one = time_histogram.merge_all([TimeHistogram.of(np.array([1, 1]))])
    two = time_histogram.merge_all([TimeHistogram.of(np.array([1, 5]))])
    merged = time_histogram.merge_all([time_histogram.merge_all([]), one, two])
    assert (merged.times.tolist(), merged.counts.tolist()) == ([1, 5], [3, 1])
