"""Drawing negatives for implicit logs: candidates that were not shown, repeatable by hash.

A draw depends on user, time, item and its number alone, so the same log has the same negatives
whatever the partitions or the runner. An item is never drawn for a user who interacted with it
by then, nor for a request before the log first shows it: a model would learn that what is new is
unwanted.
"""

import dataclasses

import numpy as np

from features.ids import hashing
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.rules.negatives_rule import NegativesRule

_ATTEMPTS = 64
_UNIT = 1 << 53


@dataclasses.dataclass(frozen=True)
class Interactions:
    """Interactions of users, candidates and behaviors alike; `[N]` int64 each.

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
      seen: all interactions of the partition's users.
      events: `[E]` positions in `seen` that get negatives.

    Returns:
      `[K]` the position in `seen` of the event that each negative belongs to, ascending, and
      `[K]` the negatives' items. K is less than `rule.count * E` where none of `_ATTEMPTS` draws
      was an allowed item.
    """
    # `[E]` each: the event's user, item and time, and its request as one number with the user.
    user, item, time = seen.user[events], seen.item[events], seen.time[events]
    group = hashing.combine(user, seen.request[events])
    request_time = _earliest_of_group(group, time)
    key = hashing.combine(hashing.combine(user, time), item)
    weights = items.counts if rule.weighting == "popularity" else np.ones_like(items.counts)
    # Items 3 5 9 with counts 2 1 3: `upper` is 2 3 6, and a uniform number of 0.4 falls at
    # 0.4 * 6 = 2.4, so item 5 is proposed.
    upper = np.cumsum(weights)
    earliest = _EarliestByPair(hashing.combine(seen.user, seen.item), seen.time)
    # One slot per wanted negative: with two per event, slots 0 1 2 3 are of events 0 0 1 1.
    slots = np.arange(len(events) * rule.count)
    drawn = np.zeros(len(slots), np.int64)
    missing = np.ones(len(slots), bool)
    taken = np.unique(hashing.combine(hashing.combine(seen.user, seen.request), seen.item))
    for attempt in range(_ATTEMPTS):
        open_slots = slots[missing]
        if not open_slots.size or not items.items.size:
            break
        event, number = open_slots // rule.count, open_slots % rule.count
        # The hash of user, time, item, number and attempt decides, not a random state.
        uniform = hashing.combine(key[event], number * _ATTEMPTS + attempt) % _UNIT
        place = np.searchsorted(upper, uniform / _UNIT * upper[-1], side="right")
        place = np.minimum(place, len(upper) - 1)
        proposal = items.items[place]
        pair = hashing.combine(group[event], proposal)
        allowed = items.first[place] <= request_time[event]
        allowed &= earliest.of(hashing.combine(user[event], proposal)) > time[event]
        allowed &= ~np.isin(pair, taken)
        # Of equal proposals within one request the first slot wins, the others draw again.
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
        """Returns microseconds, `[N]`; the largest int64 for pairs without an interaction."""
        never = np.iinfo(np.int64).max
        if not self._pairs.size:
            return np.full(len(pairs), never)
        place = np.minimum(np.searchsorted(self._pairs, pairs), len(self._pairs) - 1)
        return np.where(self._pairs[place] == pairs, self._times[place], never)
