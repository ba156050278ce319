"""The items of a log with their number of events, from which negatives are drawn."""

import dataclasses
from collections.abc import Iterable

import numpy as np


@dataclasses.dataclass(frozen=True)
class ItemCounts:
    """Counts of items.

    Attributes:
      items: `[N]` int64, ascending.
      counts: `[N]` int64, their events.
      first: `[N]` int64 microseconds, their earliest event.
    """

    items: np.ndarray
    counts: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, items: np.ndarray, times: np.ndarray) -> "ItemCounts":
        """Counts `[E]` events."""
        return cls.summed(items, np.ones(len(items), np.int64), times)

    @classmethod
    def summed(cls, items: np.ndarray, counts: np.ndarray, first: np.ndarray) -> "ItemCounts":
        """Adds counts up by item; `[N]` each.

        Items 7 3 7 with counts 1 1 1 and times 50 20 40 are items 3 7 with counts 1 2, first seen
        at 20 and 40.
        """
        distinct, inverse = np.unique(items, return_inverse=True)
        totals = np.zeros(len(distinct), np.int64)
        np.add.at(totals, inverse, counts)
        earliest = np.full(len(distinct), np.iinfo(np.int64).max)
        np.minimum.at(earliest, inverse, first)
        return cls(distinct, totals, earliest)


def merge_all(parts: Iterable[ItemCounts]) -> ItemCounts:
    """Adds counts up; the result does not depend on their order."""
    nothing = np.zeros(0, np.int64)
    arrays = [(nothing, nothing, nothing)]
    arrays += [(one.items, one.counts, one.first) for one in parts]
    return ItemCounts.summed(*map(np.concatenate, zip(*arrays, strict=True)))
