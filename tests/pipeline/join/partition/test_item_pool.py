"""What negatives are drawn from: weights know no future, and a part leaves what later ones need."""

import numpy as np
import pytest

from pipeline.join.inputs import item_counts
from pipeline.join.inputs.item_counts import DAY, ItemCounts
from pipeline.join.partition.item_pool import ItemPool
from pipeline.join.rules.negatives_rule import NegativesRule
from tests.pipeline.join.inputs.event_days import columns, events

POPULARITY, UNIFORM = NegativesRule("popularity", 1), NegativesRule("uniform", 1)


def weights(counts, rule, days):
    return [one.tolist() for one in ItemPool(counts).weights(rule, np.array(days))]


@pytest.mark.parametrize("seed", range(3))
def test_an_item_weighs_its_events_of_the_days_before(seed):
    items, times = events(seed, number=60)
    counts = ItemCounts.of(items, times)
    pool = ItemPool(counts)
    days = [-2, 0, 1, 2, 3, 4, 5, 9]
    distinct = pool.items.tolist()
    assert distinct == sorted(set(items.tolist()))
    day = times // DAY
    first_day = day.min()
    for today, found, alike in zip(
        days, weights(counts, POPULARITY, days), weights(counts, UNIFORM, days), strict=True
    ):
        until = max(today - 1, first_day)
        known = [bool(((items == one) & (day <= today)).any()) for one in distinct]
        seen = [int(((items == one) & (day <= until)).sum()) for one in distinct]
        assert found == [
            max(n, 1) if is_known else 0 for n, is_known in zip(seen, known, strict=True)
        ]
        assert alike == [int(is_known) for is_known in known]
    assert pool.first.tolist() == [times[items == one].min() for one in distinct]


def test_what_comes_later_changes_no_weight():
    items, times = events(1)
    early = times < 2 * DAY
    some = ItemCounts.of(items[early], times[early])
    for rule in (POPULARITY, UNIFORM):
        assert weights(ItemCounts.of(items, times), rule, [0, 1]) == weights(some, rule, [0, 1])


@pytest.mark.parametrize("window", [0, 1, DAY, 3 * DAY])
def test_a_log_that_goes_on_needs_only_what_is_settled(window):
    items, times = events(2)
    more, later = events(3)
    later += 6 * DAY
    whole = ItemCounts.of(np.append(items, more), np.append(times, later))
    settled = ItemCounts.of(items, times).settled(window)
    on = item_counts.merge_all([settled, ItemCounts.of(more, later)])
    # The last event is of day 5, so without a window every later request is of day 5 or later.
    days = [day for day in (2, 3, 4, 5, 6, 7, 11) if day >= 5 - window // DAY]
    for rule in (POPULARITY, UNIFORM):
        assert weights(on, rule, days) == weights(whole, rule, days)
    assert len(settled.items) <= len(set(items.tolist())) * (2 + -(-window // DAY) + (window > 0))
    assert columns(settled.settled(window)) == columns(settled)


def test_no_events_are_no_items():
    nothing = ItemCounts.of(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert weights(nothing, POPULARITY, [0, 1]) == [[], []]
