"""Requests and sequences against a quadratic search, splits, histogram of times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.join.inputs import time_histogram
from pipeline.join.inputs.runs import first_of_duplicates
from pipeline.join.inputs.time_histogram import TimeHistogram
from pipeline.join.partition import sequences
from pipeline.join.rules import splits

EVENTS = st.lists(
    st.tuples(
        st.sampled_from([-(2**63), -3, 0, 2**63 - 1]),
        st.integers(0, 12),
        st.booleans(),
    ),
    max_size=40,
)


@given(EVENTS, st.integers(1, 5), st.integers(0, 4))
def test_histories_equal_a_search(events, length, delay):
    events.sort(key=lambda event: event[:2])
    user, time, is_behavior = (
        np.array([event[n] for event in events], kind)
        for n, kind in enumerate((np.int64, np.int64, bool))
    )
    requests = sequences.build_requests(
        user, time, time, np.ones(len(user), bool), is_behavior, length, delay
    )
    sequences.check_causal(requests, user[requests.behaviors], time[requests.behaviors], delay)
    assert requests.starts[-1] == len(events)
    for number in range(len(requests.user)):
        low, high = requests.history_start[number], requests.history_end[number]
        expected = [
            position
            for position, event in enumerate(events)
            if event[2]
            and event[0] == requests.user[number]
            and event[1] < requests.time[number] - delay
        ][-length:]
        assert requests.behaviors[low:high].tolist() == expected


def test_request_takes_the_time_of_its_earliest_event():
    user, request = np.zeros(4, np.int64), np.array([7, 8, 7, 8])
    every = np.ones(4, bool)
    requests = sequences.build_requests(user, np.arange(4), request, every, every, 5)
    assert requests.request.tolist() == [7, 8]
    assert requests.time.tolist() == [0, 1]
    assert requests.order.tolist() == [0, 2, 1, 3]
    assert (requests.history_end - requests.history_start).tolist() == [0, 1]


def test_duplicates_keep_the_first_row():
    user = np.array([1, 1, 1, 1])
    content = np.array([5, 5, 6, 5])
    kept = first_of_duplicates(
        user, np.array([9, 9, 9, 8]), content, np.array([1, 0, 0, 0]), np.array([0, 4, 2, 0])
    )
    assert kept.tolist() == [3, 2, 1]


@pytest.mark.parametrize("fault", ["own instant", "later", "other user"])
def test_leaks_are_found(fault):
    user, time = np.array([1, 1, 2, 2]), np.array([1, 2, 5, 6])
    every = np.ones(4, bool)
    good = sequences.build_requests(user, time, time, every, every, 5)
    sequences.check_causal(good, user, time)
    changed = {
        "own instant": {"history_end": good.history_end + np.array([0, 1, 0, 0])},
        "later": {"history_end": good.history_end + np.array([2, 0, 0, 0])},
        "other user": {"history_start": good.history_start - np.array([0, 0, 1, 0])},
    }[fault]
    with pytest.raises(RuntimeError, match="own instant or later"):
        bad = sequences.dataclasses.replace(good, **changed)
        sequences.check_causal(bad, user, time)


def test_global_cut_puts_ties_into_the_later_split():
    times = np.array([1, 2, 3, 4, 5, 6, 7, 8, 8, 9])
    cuts = TimeHistogram.of(times).cut_times((0.7, 0.1, 0.2))
    assert cuts == (8, 8)
    assigned = splits.assign_by_time(splits.split_at(cuts), times)
    assert assigned.tolist() == [0] * 7 + [2, 2, 2]


def test_user_split_counts_rows():
    first = np.array([0, 3, 6, 7, 8, 9])
    assigned = splits.assign_by_user((0.7, 0.1, 0.2), first, np.full(6, 10))
    assert assigned.tolist() == [0, 0, 0, 1, 2, 2]


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
        merged = merged.merged(TimeHistogram.of(np.array(part, np.int64), largest), largest)
    assert merged.level == whole.level
    assert merged.times.tolist() == whole.times.tolist()
    assert merged.counts.tolist() == whole.counts.tolist()
    assert len(whole.times) <= largest


def test_merging_adds():
    one = time_histogram.merge_all([TimeHistogram.of(np.array([1, 1]))])
    two = time_histogram.merge_all([TimeHistogram.of(np.array([1, 5]))])
    merged = time_histogram.merge_all([time_histogram.merge_all([]), one, two])
    assert (merged.times.tolist(), merged.counts.tolist()) == ([1, 5], [3, 1])


def test_dates_and_units():
    ranges = splits.parse_ranges("train:..1970-01-02,test:1970-01-02..", "s")
    assert ranges[0].end == ranges[1].begin == 86_400_000_000
    assert splits.parse_ranges("train:5..", "ms")[0].begin == 5000
