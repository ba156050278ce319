"""The items of a log with their number of events by day, from which negatives are drawn."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from pipeline.join.inputs.duplicates import run_starts

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
        start = np.flatnonzero(run_starts(items, day))
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


def merge_all(parts: Iterable[ItemCounts]) -> ItemCounts:
    """Adds counts up; the result does not depend on their order."""
    nothing = np.zeros(0, np.int64)
    arrays = [(nothing, nothing, nothing)]
    arrays += [(one.items, one.counts, one.first) for one in parts]
    items, counts, first = map(np.concatenate, zip(*arrays, strict=True))
    return ItemCounts.summed(items, counts, first)
