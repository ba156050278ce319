"""Negatives for implicit logs: candidates that were not shown, drawn repeatably by hash.

A draw depends on user, time, item and its number alone, so the same log has the same negatives
whatever the partitions or the runner. An item is never drawn for a user who interacted with it
by then, nor for a request before the log first shows it: a model would learn that what is new is
unwanted.
"""

import dataclasses

import apache_beam as beam
import numpy as np

from features.errors import UserInputError
from features.ids import hashing

_ATTEMPTS = 64
_UNIT = 1 << 53


@dataclasses.dataclass(frozen=True)
class NegativesRule:
    """How negatives are drawn.

    Attributes:
      weighting: `popularity`, by number of events, or `uniform`.
      count: negatives for each event.
    """

    weighting: str
    count: int


def parse(text: str) -> NegativesRule:
    """Parses `popularity:4`.

    >>> parse("popularity:4")
    NegativesRule(weighting='popularity', count=4)

    Raises:
      UserInputError: the text has another form.
    """
    weighting, _, count = text.strip().partition(":")
    if weighting not in ("popularity", "uniform") or not count.isdigit() or not int(count):
        raise UserInputError(
            f"--negatives {text!r} must be popularity:K or uniform:K with K of at least 1, for "
            "instance popularity:4."
        )
    return NegativesRule(weighting, int(count))


@dataclasses.dataclass(frozen=True)
class ItemCounts:
    """The log's items.

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
        return cls._summed(items, np.ones(len(items), np.int64), times)

    def merged(self, other: "ItemCounts") -> "ItemCounts":
        """Adds other counts."""
        pairs = (
            (getattr(self, name), getattr(other, name)) for name in ("items", "counts", "first")
        )
        return self._summed(*(np.concatenate(pair) for pair in pairs))

    @classmethod
    def _summed(cls, items: np.ndarray, counts: np.ndarray, first: np.ndarray) -> "ItemCounts":
        distinct, inverse = np.unique(items, return_inverse=True)
        totals = np.zeros(len(distinct), np.int64)
        np.add.at(totals, inverse, counts)
        earliest = np.full(len(distinct), np.iinfo(np.int64).max)
        np.minimum.at(earliest, inverse, first)
        return cls(distinct, totals, earliest)


EMPTY = ItemCounts(*(np.zeros(0, np.int64) for _ in range(3)))


class MergeItemCounts(beam.CombineFn):
    """Merges `ItemCounts`."""

    def create_accumulator(self) -> ItemCounts:
        return EMPTY

    def add_input(self, accumulator: ItemCounts, element: ItemCounts) -> ItemCounts:
        return accumulator.merged(element)

    def merge_accumulators(self, accumulators: list[ItemCounts]) -> ItemCounts:
        merged = EMPTY
        for accumulator in accumulators:
            merged = merged.merged(accumulator)
        return merged

    def extract_output(self, accumulator: ItemCounts) -> ItemCounts:
        return accumulator


@dataclasses.dataclass(frozen=True)
class Interactions:
    """What users did, candidates and behaviors alike; `[N]` int64 each.

    Attributes:
      user: ids.
      item: ids.
      time: microseconds.
      request: ids; an item of the same request is never drawn, however late its event.
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    request: np.ndarray


def draw(
    rule: NegativesRule, items: ItemCounts, seen: Interactions, events: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Draws negatives.

    Args:
      rule: how many, and by which weights.
      items: the log's.
      seen: everything that the partition's users did.
      events: `[E]` positions in `seen` that get negatives.

    Returns:
      `[K]` the position in `seen` of the event that each negative belongs to, ascending, and
      `[K]` the negatives' items. K is less than `rule.count * E` where `_ATTEMPTS` draws met
      no item that was allowed.
    """
    user, item, time = seen.user[events], seen.item[events], seen.time[events]
    group = hashing.combine(user, seen.request[events])
    request_time = _earliest_of_group(group, time)
    key = hashing.combine(hashing.combine(user, time), item)
    weights = items.counts if rule.weighting == "popularity" else np.ones_like(items.counts)
    upper = np.cumsum(weights)
    earliest = _EarliestByPair(hashing.combine(seen.user, seen.item), seen.time)
    slots = np.arange(len(events) * rule.count)
    drawn = np.zeros(len(slots), np.int64)
    missing = np.ones(len(slots), bool)
    taken = np.unique(hashing.combine(hashing.combine(seen.user, seen.request), seen.item))
    for attempt in range(_ATTEMPTS):
        open_slots = slots[missing]
        if not open_slots.size or not items.items.size:
            break
        event, number = open_slots // rule.count, open_slots % rule.count
        uniform = hashing.combine(key[event], number * _ATTEMPTS + attempt) % _UNIT
        place = np.searchsorted(upper, uniform / _UNIT * upper[-1], side="right")
        place = np.minimum(place, len(upper) - 1)
        proposal = items.items[place]
        pair = hashing.combine(group[event], proposal)
        allowed = items.first[place] <= request_time[event]
        allowed &= earliest.of(hashing.combine(user[event], proposal)) > time[event]
        allowed &= ~np.isin(pair, taken)
        accepted = np.flatnonzero(allowed)
        _, first = np.unique(pair[accepted], return_index=True)
        accepted = accepted[np.sort(first)]
        drawn[open_slots[accepted]] = proposal[accepted]
        missing[open_slots[accepted]] = False
        taken = np.union1d(taken, pair[accepted])
    found = slots[~missing]
    return events[found // rule.count], drawn[found]


def _earliest_of_group(group: np.ndarray, time: np.ndarray) -> np.ndarray:
    distinct, inverse = np.unique(group, return_inverse=True)
    earliest = np.full(len(distinct), np.iinfo(np.int64).max)
    np.minimum.at(earliest, inverse, time)
    return earliest[inverse]


class _EarliestByPair:
    """The time of the earliest interaction by a hash of user and item.

    Two pairs of one hash could only forbid a draw, never allow one.
    """

    def __init__(self, pairs: np.ndarray, times: np.ndarray):
        order = np.lexsort((times, pairs))
        self._pairs, first = np.unique(pairs[order], return_index=True)
        self._times = times[order][first]

    def of(self, pairs: np.ndarray) -> np.ndarray:
        """Returns microseconds, the end of time for pairs that never met."""
        never = np.iinfo(np.int64).max
        if not self._pairs.size:
            return np.full(len(pairs), never)
        place = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        return np.where(self._pairs[place] == pairs, self._times[place], never)
