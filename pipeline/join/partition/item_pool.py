"""The items that negatives are drawn from, and what each weighs on the day of a request."""

from collections.abc import Iterator

import numpy as np

from pipeline.join.inputs.duplicates import run_starts
from pipeline.join.inputs.item_counts import DAY, ItemCounts
from pipeline.join.rules.negatives_rule import NegativesRule


class ItemPool:
    """The log's items.

    Args:
      counts: of their events.

    Attributes:
      items: `[M]` int64, ascending.
      first: `[M]` int64 microseconds, their first events.
    """

    def __init__(self, counts: ItemCounts):
        is_start = run_starts(counts.items)
        self.items, self.first = counts.items[is_start], counts.first[is_start]
        place, day = np.cumsum(is_start) - 1, counts.first // DAY
        order = np.argsort(day, kind="stable")
        # `[N]` each: an item's place, its events on a day, and the day, which ascends.
        self._place, self._counts, self._day = place[order], counts.counts[order], day[order]

    def weights(self, rule: NegativesRule, days: np.ndarray) -> Iterator[np.ndarray]:
        """Yields for each day the `[M]` weights of the items.

        An item that is not in the log by the end of the day weighs 0. By popularity an item weighs
        its events of the days before, at least 1: a day's own events, and later ones, are what a
        model is to predict. On the log's first day, which has none before, its own count.

        Args:
          rule: by which weights.
          days: ascending, counted from 1970.
        """
        counted = np.zeros(len(self.items), np.int64)
        done = 0
        for today in days:
            before = max(today, self._day[0] + 1) if len(self._day) else today
            end = int(np.searchsorted(self._day, before))
            np.add.at(counted, self._place[done:end], self._counts[done:end])
            done = end
            weights = np.maximum(counted, 1) if rule.weighting == "popularity" else 1
            yield np.where(self.first // DAY <= today, weights, 0)
