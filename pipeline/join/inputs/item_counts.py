"""The items of a log with their number of events by day, from which negatives are drawn."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from pipeline.join.rules.negatives_rule import NegativesRule

DAY = 86_400_000_000
"""Microseconds of a day; a day begins at midnight UTC."""


@dataclasses.dataclass(frozen=True)
class ItemCounts:
    """Counts of events by item and day: a row for each day on which an item had one.

    Attributes:
      items: `[N]` int64, ascending.
      counts: `[N]` int64, the item's events on the day.
      first: `[N]` int64 microseconds, the earliest of them, ascending within an item.
    """

    items: np.ndarray
    counts: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, items: np.ndarray, times: np.ndarray) -> "ItemCounts":
        """Counts `[E]` events."""
        return cls.summed(items, np.ones(len(items), np.int64), times)

    @classmethod
    def summed(
        cls, items: np.ndarray, counts: np.ndarray, first: np.ndarray, since: int | None = None
    ) -> "ItemCounts":
        """Adds counts up by item and day; `[N]` each.

        Items 7 3 7 with counts 1 1 1 and times 50 20 40 are items 3 7 with counts 1 2, first seen
        at 20 and 40.

        Args:
          items: ids.
          counts: events.
          first: microseconds.
          since: a day; what lies before it is one row of an item, that of its first day.
        """
        order = np.lexsort((first, items))
        items, counts, first = items[order], counts[order], first[order]
        day = first // DAY
        if since is not None:
            day = np.maximum(day, since - 1)
        is_start = np.ones(len(items), bool)
        is_start[1:] = (items[1:] != items[:-1]) | (day[1:] != day[:-1])
        start = np.flatnonzero(is_start)
        totals = np.add.reduceat(counts, start) if len(start) else counts
        return cls(items[start], totals, first[start])

    def settled(self, window: int) -> "ItemCounts":
        """Returns what a log that goes on needs of these: older days are one row of an item.

        Args:
          window: microseconds before the last event from which requests may still be written.
        """
        if not len(self.first):
            return self
        # A request waits from its latest candidate on, and its earliest may be of the day before.
        since = (int(self.first.max()) - window) // DAY - (window > 0)
        return self.summed(self.items, self.counts, self.first, since)

    def weights(
        self, rule: NegativesRule, days: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields for each day the `[M]` weights of the log's items and their first events.

        An item that is not in the log by the end of the day weighs 0. By popularity an item weighs
        its events of the days before, at least 1: a day's own events, and later ones, are what a
        model is to predict. On the log's first day, which has none before, its own count.

        Args:
          rule: by which weights.
          days: ascending.
        """
        items, place = np.unique(self.items, return_inverse=True)
        first = np.full(len(items), np.iinfo(np.int64).max)
        np.minimum.at(first, place, self.first)
        day = self.first // DAY
        by_day = np.argsort(day, kind="stable")
        sorted_days = day[by_day]
        counted = np.zeros(len(items), np.int64)
        done = 0
        for today in days:
            before = max(today, sorted_days[0] + 1) if len(sorted_days) else today
            end = int(np.searchsorted(sorted_days, before))
            rows = by_day[done:end]
            np.add.at(counted, place[rows], self.counts[rows])
            done = end
            known = first // DAY <= today
            weights = np.maximum(counted, 1) if rule.weighting == "popularity" else 1
            yield np.where(known, weights, 0), first

    def distinct(self) -> np.ndarray:
        """Returns the log's items, `[M]` int64 ascending."""
        return np.unique(self.items)


def merge_all(parts: Iterable[ItemCounts]) -> ItemCounts:
    """Adds counts up; the result does not depend on their order."""
    nothing = np.zeros(0, np.int64)
    arrays = [(nothing, nothing, nothing)]
    arrays += [(one.items, one.counts, one.first) for one in parts]
    items, counts, first = map(np.concatenate, zip(*arrays, strict=True))
    return ItemCounts.summed(items, counts, first)
