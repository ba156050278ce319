"""Counts of items are those of all events, however they are merged."""

import numpy as np

from pipeline.join.inputs import item_counts
from pipeline.join.inputs.item_counts import ItemCounts


def test_item_counts_merge_to_those_of_all():
    random = np.random.default_rng(0)
    items, times = random.integers(0, 9, 200), random.integers(0, 99, 200)
    whole = ItemCounts.of(items, times)
    parts = [ItemCounts.of(items[n::7], times[n::7]) for n in range(7)]
    merged = item_counts.merge_all([item_counts.merge_all([]), *parts])
    for name in ("items", "counts", "first"):
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
    expected = {item: (items == item).sum() for item in set(items.tolist())}
    assert dict(zip(whole.items.tolist(), whole.counts.tolist(), strict=True)) == expected
    assert whole.first.tolist() == [times[items == item].min() for item in whole.items]
