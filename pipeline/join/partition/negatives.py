"""Drawing negatives for implicit logs: candidates that were not shown, repeatable by hash.

A draw depends on user, time, item and its number alone, so the same log has the same negatives
whatever the partitions or the runner. An item is never drawn for a user who interacted with it
by then, nor for a request before the log first shows it: a model would learn that what is new is
unwanted. Nor is an item more likely for what it becomes later: counts of the whole log would make
candidates of items that are still to rise, and a model would learn that what sold little sells.
"""

import dataclasses

import numpy as np

from features.ids import hashing, id_table
from pipeline.join.inputs.item_counts import DAY, ItemCounts
from pipeline.join.partition.item_pool import ItemPool
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
    key = hashing.combine(hashing.combine(user, time), item)
    # A request is as early as its first event.
    requests, request = np.unique(group, return_inverse=True)
    begin = np.full(len(requests), np.iinfo(np.int64).max)
    np.minimum.at(begin, request, time)
    days, day = np.unique(begin // DAY, return_inverse=True)
    shown = _shown_by_day(seen, requests, day, len(days))
    earliest = _EarliestByPair(hashing.combine(seen.user, seen.item), seen.time)
    pool = ItemPool(items)
    owners, found = [events[:0]], [pool.items[:0]]
    for number, weights in enumerate(pool.weights(rule, days)):
        of_day = np.flatnonzero(day[request] == number)
        # One slot per wanted negative: with two per event, slots 0 1 2 3 are of events 0 0 1 1.
        event = np.repeat(of_day, rule.count)
        copy = np.tile(np.arange(rule.count), len(of_day))
        begins = begin[request[event]]
        slots = _Slots(key[event], copy, user[event], time[event], group[event], begins)
        drawn, place = _draw_day(slots, pool, weights, earliest, shown[number])
        owners.append(event[drawn])
        found.append(pool.items[place])
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
      begin: earliest time of the request.
    """

    key: np.ndarray
    copy: np.ndarray
    user: np.ndarray
    time: np.ndarray
    group: np.ndarray
    begin: np.ndarray


def _draw_day(
    slots: _Slots,
    pool: ItemPool,
    weights: np.ndarray,
    earliest: "_EarliestByPair",
    taken: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws an item for each slot of the requests of one day.

    Args:
      slots: to fill.
      pool: the log's items.
      weights: `[M]`, of each on that day.
      earliest: when each user first met each item.
      taken: hashes of request and item that are candidates already.

    Returns:
      `[K]` the slots that were filled, ascending, and `[K]` places in the pool.
    """
    # Items 3 5 9 with weights 2 1 3: `upper` is 2 3 6, and a uniform number of 0.4 falls at
    # 0.4 * 6 = 2.4, so item 5 is proposed.
    upper = np.cumsum(weights)
    filled = np.full(len(slots.key), -1)
    left = np.arange(len(filled))
    for attempt in range(_ATTEMPTS):
        if not left.size or not upper.size:
            break
        # The hash of user, time, item, number and attempt decides, not a random state.
        number = slots.copy[left] * _ATTEMPTS + attempt
        uniform = hashing.combine(slots.key[left], number) % _UNIT
        place = np.searchsorted(upper, uniform / _UNIT * upper[-1], side="right")
        place = np.minimum(place, len(upper) - 1)
        proposal = pool.items[place]
        pair = hashing.combine(slots.group[left], proposal)
        met = earliest.of(hashing.combine(slots.user[left], proposal))
        allowed = (pool.first[place] <= slots.begin[left]) & (met > slots.time[left])
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
    seen: Interactions, requests: np.ndarray, day: np.ndarray, days: int
) -> list[np.ndarray]:
    """Returns by day the hashes of request and item of all that the day's requests hold.

    Args:
      seen: all interactions of the partition's users.
      requests: `[Q]` hashes of user and request, ascending.
      day: `[Q]` number of each request's day.
      days: how many there are.
    """
    own = hashing.combine(seen.user, seen.request)
    place = id_table.positions(own, requests)
    rows = np.flatnonzero(place < len(requests))
    day_of = day[place[rows]]
    order = np.argsort(day_of, kind="stable")
    pairs = hashing.combine(own[rows], seen.item[rows])[order]
    return np.split(pairs, np.searchsorted(day_of[order], np.arange(1, days)))


class _EarliestByPair:
    """The time of the earliest interaction by a hash of user and item.

    Two pairs of one hash could only forbid a draw, never allow one.
    """

    def __init__(self, pairs: np.ndarray, times: np.ndarray):
        order = np.lexsort((times, pairs))
        self._pairs, first = np.unique(pairs[order], return_index=True)
        never = np.iinfo(np.int64).max
        self._times = np.append(times[order][first], never)

    def of(self, pairs: np.ndarray) -> np.ndarray:
        """Returns microseconds, `[N]`; the largest int64 for pairs without an interaction."""
        return self._times[id_table.positions(pairs, self._pairs)]
