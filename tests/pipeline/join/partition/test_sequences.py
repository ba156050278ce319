"""Requests and their behavior sequences against a quadratic search, and planted leaks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.join.partition import sequences

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
