"""Drawing negatives for implicit logs: candidates that were not shown, repeatable by hash.

A draw depends on user, time, item and its number alone, so the same log has the same negatives
whatever the partitions or the runner. An item is never drawn for a user who interacted with it
by then, nor for a request before the log first shows it: a model would learn that what is new is
unwanted. Nor is an item more likely for what it becomes later: counts of the whole log would make
candidates of items that are still to rise, and a model would learn that what sold little sells.
"""

import dataclasses

import numpy as np

from features.ids import hashing
from pipeline.join.inputs.item_counts import DAY, ItemCounts
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
    earliest = _EarliestByPair(hashing.combine(seen.user, seen.item), seen.time)
    pool = items.distinct()
    days, day = np.unique(request_time // DAY, return_inverse=True)
    shown = _shown_by_day(seen, group, day, len(days))
    owners, found = [events[:0]], [pool[:0]]
    for number, (weights, first) in enumerate(items.weights(rule, days)):
        of_day = np.flatnonzero(day == number)
        # One slot per wanted negative: with two per event, slots 0 1 2 3 are of events 0 0 1 1.
        event = np.repeat(of_day, rule.count)
        copy = np.tile(np.arange(rule.count), len(of_day))
        slots = _Slots(
            key[event], copy, user[event], time[event], group[event], request_time[event]
        )
        drawn, place = _draw_day(slots, pool, np.cumsum(weights), first, earliest, shown[number])
        owners.append(event[drawn])
        found.append(pool[place])
    owner, drawn_items = np.concatenate(owners), np.concatenate(found)
    order = np.argsort(owner, kind="stable")
    return events[owner[order]], drawn_items[order]


@dataclasses.dataclass(frozen=True)
class _Slots:
    """Wanted negatives, `[S]` int64 each.

    Attributes:
      key: hash of the event that it belongs to.
      copy: its number among those of the event.
      user: of the event.
      time: of the event.
      group: hash of user and request.
      request_time: earliest time of the request.
    """

    key: np.ndarray
    copy: np.ndarray
    user: np.ndarray
    time: np.ndarray
    group: np.ndarray
    request_time: np.ndarray


def _draw_day(
    slots: _Slots,
    pool: np.ndarray,
    upper: np.ndarray,
    first: np.ndarray,
    earliest: "_EarliestByPair",
    taken: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws an item for each slot of the requests of one day.

    Args:
      slots: to fill.
      pool: `[M]` the log's items.
      upper: `[M]` sums of their weights up to each. Items 3 5 9 with weights 2 1 3 have 2 3 6, and
        a uniform number of 0.4 falls at 0.4 * 6 = 2.4, so item 5 is proposed.
      first: `[M]` microseconds of their first events.
      earliest: when each user first met each item.
      taken: hashes of request and item that are candidates already.

    Returns:
      `[K]` the slots that were filled, ascending, and `[K]` places in the pool.
    """
    filled = np.full(len(slots.key), -1)
    left = np.arange(len(filled))
    for attempt in range(_ATTEMPTS):
        if not left.size or not pool.size:
            break
        # The hash of user, time, item, number and attempt decides, not a random state.
        number = slots.copy[left] * _ATTEMPTS + attempt
        uniform = hashing.combine(slots.key[left], number) % _UNIT
        place = np.searchsorted(upper, uniform / _UNIT * upper[-1], side="right")
        place = np.minimum(place, len(upper) - 1)
        pair = hashing.combine(slots.group[left], pool[place])
        met = earliest.of(hashing.combine(slots.user[left], pool[place]))
        allowed = (first[place] <= slots.request_time[left]) & (met > slots.time[left])
        allowed &= ~np.isin(pair, taken)
        # Of equal proposals within one request the first slot wins, the others draw again.
        accepted = np.flatnonzero(allowed)
        _, leading = np.unique(pair[accepted], return_index=True)
        accepted = accepted[np.sort(leading)]
        filled[left[accepted]] = place[accepted]
        taken = np.union1d(taken, pair[accepted])
        left = np.delete(left, accepted)
    drawn = np.flatnonzero(filled >= 0)
    return drawn, filled[drawn]


def _shown_by_day(
    seen: Interactions, group: np.ndarray, day: np.ndarray, days: int
) -> list[np.ndarray]:
    """Returns by day the hashes of request and item of all that the day's requests hold.

    Args:
      seen: all interactions of the partition's users.
      group: `[E]` hash of user and request of each event that gets negatives.
      day: `[E]` number of the day of its request.
      days: how many there are.
    """
    requests, place = np.unique(group, return_index=True)
    own = hashing.combine(seen.user, seen.request)
    found = np.minimum(np.searchsorted(requests, own), max(len(requests) - 1, 0))
    rows = np.flatnonzero(requests[found] == own) if len(requests) else found[:0]
    day_of = day[place[found[rows]]]
    order = np.argsort(day_of, kind="stable")
    pairs = hashing.combine(own[rows], seen.item[rows])[order]
    return np.split(pairs, np.searchsorted(day_of[order], np.arange(1, days)))


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
