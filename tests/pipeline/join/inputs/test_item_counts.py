"""Counts by item and day are those of all events, in any order."""

from pipeline.join.inputs import item_counts
from pipeline.join.inputs.item_counts import DAY, ItemCounts
from tests.pipeline.join.inputs.event_days import columns, events


def test_counts_merge_to_those_of_all():
    items, times = events(0)
    whole = ItemCounts.of(items, times)
    parts = [ItemCounts.of(items[n::7], times[n::7]) for n in range(7)]
    merged = item_counts.merge_all([item_counts.merge_all([]), *parts])
    assert columns(merged) == columns(whole)
    expected = {}
    for item, time in sorted(zip(items.tolist(), times.tolist(), strict=True)):
        count, first = expected.get((item, time // DAY), (0, time))
        expected[item, time // DAY] = count + 1, first
    assert columns(whole)[0] == [item for item, _ in expected]
    assert list(zip(*columns(whole)[1:], strict=True)) == list(expected.values())


def test_no_events_are_no_items():
    nothing = item_counts.merge_all([])
    assert columns(nothing.settled(DAY)) == [[], [], []]
