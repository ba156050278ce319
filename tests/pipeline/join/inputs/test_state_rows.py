"""What a part leaves for the next: all that its histories can hold, and no more than it must."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.join.inputs.state_rows import needed_later

EVENT = st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(0, 3), st.booleans())
LAST = 12


def columns(events):
    """Columns of a partition, sorted by user, time and row; every user has the same last event."""
    rows = sorted(
        [*events, *((user, LAST, 0, False) for user in range(3))], key=lambda row: row[:2]
    )
    user, time, item, behavior = (np.array(column) for column in zip(*rows, strict=True))
    return {"user": user, "time": time, "item": item, "behavior": behavior}


@pytest.mark.parametrize("delay", [0, 1, 4])
@given(st.lists(EVENT, max_size=40), st.integers(1, 3))
def test_later_histories_are_those_of_all_events(delay, events, length):
    found = columns(events)
    needed_from = LAST + 1 - delay
    rows = needed_later(found, length, needed_from, with_interactions=False)
    kept = np.isin(np.arange(len(found["user"])), rows)
    for user in range(3):
        own = (found["user"] == user) & found["behavior"]
        for moment in range(LAST + 1, LAST + 1 + delay + 2):
            seen = own & (found["time"] < moment - delay)
            history = np.flatnonzero(seen)[-length:]
            np.testing.assert_array_equal(history, np.flatnonzero(seen & kept)[-length:])
        # No request of the next part is without these.
        needed = own & (found["time"] >= needed_from)
        assert np.sum(own & kept) <= length + needed.sum()
    assert found["behavior"][rows].all()


@given(st.lists(EVENT, max_size=40), st.integers(1, 3))
def test_with_interactions_each_pair_s_first_event_stays(events, length):
    found = columns(events)
    pairs = list(zip(found["user"], found["item"], strict=True))
    first = {pairs.index(pair) for pair in pairs}
    without = set(needed_later(found, length, LAST + 1, with_interactions=False))
    assert set(needed_later(found, length, LAST + 1, with_interactions=True)) == without | first
