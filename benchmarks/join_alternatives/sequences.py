"""Requests and histories of a simulated log, for `single_process`: whole arrays, no Beam.

The rules are those of `pipeline.join.partition.sequences`, found by other code, so that equal
records say something of both.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

_SHARES = (0.7, 0.8)
"""The default split fractions, cumulated."""
_MOST_TIMES = 1_000_000
_LATEST = 7_289_654_400_000
_MICROSECONDS = 1000
_MOST_CANDIDATES = 128


def valid(table: pa.Table) -> pa.Table:
    """Returns the rows that the join accepts."""
    good = np.ones(len(table), bool)
    for name in ("user_id", "item_id", "timestamp", "request_id", "click"):
        if table[name].null_count:
            good &= ~table[name].is_null().to_numpy()
    time, click = (
        table[name].fill_null(-1).to_numpy() if table[name].null_count else table[name].to_numpy()
        for name in ("timestamp", "click")
    )
    good &= (time >= 0) & (time < _LATEST) & ((click == 0) | (click == 1))
    return table if good.all() else table.filter(pa.array(good))


def cut_times(time: np.ndarray) -> list[int]:
    """Returns the milliseconds at which validation and test begin."""
    ordered = np.sort(time) * _MICROSECONDS
    distinct = ordered[np.append(True, ordered[1:] != ordered[:-1])]
    level = 0
    # The join counts times at the finest resolution that keeps its histogram small.
    while len(np.unique(distinct >> level)) > _MOST_TIMES:
        level += 1
    bounds = np.rint(np.multiply(len(time), _SHARES)).astype(np.int64)
    return [-(-(int(ordered[bound]) >> level << level) // _MICROSECONDS) for bound in bounds]


@dataclasses.dataclass(frozen=True)
class Events:
    """The events without duplicates by user, time and row.

    Attributes:
      user: `[E]` int64, the user's rank among all.
      user_ids: the user of each rank, int64.
      item: `[E]` int64.
      time: `[E]` int64, milliseconds.
      request: `[E]` int64.
      click: `[E]` float32.
    """

    user: np.ndarray
    user_ids: np.ndarray
    item: np.ndarray
    time: np.ndarray
    request: np.ndarray
    click: np.ndarray

    @classmethod
    def of(cls, table: pa.Table) -> "Events":
        """Sorts the rows of the log."""
        time = table["timestamp"].to_numpy()
        user_ids, user = np.unique(table["user_id"].to_numpy(), return_inverse=True)
        order = np.argsort(_by_user_and_time(user, time, time.min(), time.max()), kind="stable")
        order = np.delete(order, _duplicates(table, order, user, time))
        return cls(
            user=user[order],
            user_ids=user_ids,
            item=table["item_id"].to_numpy()[order],
            time=time[order],
            request=table["request_id"].to_numpy()[order],
            click=table["click"].to_numpy()[order].astype(np.float32),
        )


@dataclasses.dataclass(frozen=True)
class Records:
    """The records by user, time and request.

    Attributes:
      item: `[E]` the candidates' items, records one after another.
      click: `[E]` float32.
      low: `[R]` first candidate.
      high: `[R]` one past the last.
      user: `[R]` rank.
      request: `[R]`.
      time: `[R]` milliseconds.
      split: `[R]`.
      behavior_item: `[B]`.
      behavior_time: `[B]` milliseconds.
      start: `[R]` first behavior.
      end: `[R]` one past the last.
    """

    item: np.ndarray
    click: np.ndarray
    low: np.ndarray
    high: np.ndarray
    user: np.ndarray
    request: np.ndarray
    time: np.ndarray
    split: np.ndarray
    behavior_item: np.ndarray
    behavior_time: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @classmethod
    def of(cls, events: Events, cuts: Sequence[int], history_length: int) -> "Records":
        """Groups events into requests and finds their histories."""
        first_time, last_time = events.time.min(), events.time.max()
        order, starts = _requests(events)
        user, time = events.user[order[starts]], events.time[order[starts]]
        clicked = np.flatnonzero(events.click == 1)
        clicks = _by_user_and_time(
            events.user[clicked], events.time[clicked], first_time, last_time
        )
        end = np.searchsorted(clicks, _by_user_and_time(user, time, first_time, last_time))
        users_first = np.searchsorted(
            clicks, _by_user_and_time(user, first_time, first_time, last_time)
        )
        count = np.diff(np.append(starts, len(order)))
        pieces = -(-count // _MOST_CANDIDATES)
        of = np.repeat(np.arange(len(starts)), pieces)
        piece = np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        low = starts[of] + piece * _MOST_CANDIDATES
        return cls(
            item=events.item[order],
            click=events.click[order],
            low=low,
            high=np.minimum(low + _MOST_CANDIDATES, (starts + count)[of]),
            user=user[of],
            request=events.request[order[starts]][of],
            time=time[of],
            split=np.searchsorted(np.asarray(cuts), time, side="right")[of],
            behavior_item=events.item[clicked],
            behavior_time=events.time[clicked],
            start=np.maximum(users_first, end - history_length)[of],
            end=end[of],
        )


def _by_user_and_time(
    user: np.ndarray, time: np.ndarray, first_time: int, last_time: int
) -> np.ndarray:
    """Returns one int64 that sorts as the user's rank and the time do."""
    return user * np.int64(last_time - first_time + 1) + (time - first_time)


def _duplicates(
    table: pa.Table, order: np.ndarray, user: np.ndarray, time: np.ndarray
) -> np.ndarray:
    """Returns the positions in `order` of rows that equal an earlier row.

    Only rows that share user, time, request and item with another are looked at one by one.
    """
    item, request = (table[name].to_numpy() for name in ("item_id", "request_id"))
    finer = order[np.lexsort((item[order], request[order], time[order], user[order]))]
    same = np.ones(max(len(order) - 1, 0), bool)
    for values in (user, time, request, item):
        same &= values[finer[1:]] == values[finer[:-1]]
    suspect = np.union1d(finer[1:][same], finer[:-1][same])
    seen, repeated = set(), []
    for row, values in zip(
        suspect.tolist(), table.take(pa.array(suspect)).to_pylist(), strict=True
    ):
        key = tuple(values.values())
        if key in seen:
            repeated.append(row)
        seen.add(key)
    return np.flatnonzero(np.isin(order, repeated)) if repeated else np.zeros(0, np.int64)


def _requests(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Returns the events by user, request's time, request, time and row, and where each begins."""
    by_request = np.lexsort((events.request, events.user))
    user, request = events.user[by_request], events.request[by_request]
    new = np.append(True, (user[1:] != user[:-1]) | (request[1:] != request[:-1]))
    starts = np.flatnonzero(new)
    # Events are sorted by time and the sort is stable, so a request's first is its earliest.
    time = events.time[by_request[starts]]
    by_time = np.lexsort((request[starts], time, user[starts]))
    count = np.diff(np.append(starts, len(user)))[by_time]
    ends = np.cumsum(count)
    positions = np.arange(len(user)) + np.repeat(starts[by_time] - (ends - count), count)
    return by_request[positions], ends - count
