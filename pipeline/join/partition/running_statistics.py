"""Running statistics: counts and sums of users and items just before each request.

Events are the log's own rows, duplicates left out: a label that arrived as an event of its own
counts from that event's time on, drawn negatives and given behaviors do not count. What a request
may know is strictly older than its time less the behaviors' delay. Sums are float64 and become
float32 in the record.
"""

import dataclasses

import numpy as np

from features.records.running_statistics import RESIDUAL_STRENGTH, residual_codes
from pipeline.join.inputs.log_columns import SHOWN
from pipeline.join.options import JoinOptions
from pipeline.join.partition.carried_sums import CarriedSums
from pipeline.join.partition.cumulative_sums import Additions
from pipeline.join.partition.sequences import Requests
from pipeline.join.rules import splits

Columns = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Left:
    """What the next part of the log goes on from.

    Attributes:
      users: additions to the users' sums.
      item_count: `[E]` float64, how many events the item of a row that was shown had before it.
    """

    users: Additions
    item_count: np.ndarray


@dataclasses.dataclass(frozen=True)
class RunningStatistics:
    """Values of the records; the layout is that of `features.records.running_statistics`.

    Attributes:
      candidates: `[C, 1 + S]` float32, in the order of `Requests.order`.
      requests: `[Q, 2 + 2 S]` float32.
      events: `[E]` int64 residual codes of the partition's events, sorted as they are.
      left: for the next part; None without parts.
    """

    candidates: np.ndarray
    requests: np.ndarray
    events: np.ndarray
    left: Left | None = None


@dataclasses.dataclass(frozen=True)
class SumQueries:
    """Ids and times before which their sums are needed, `[N]` int64 each."""

    ids: np.ndarray
    times: np.ndarray


class PartitionStatistics:
    """The statistics of one partition: additions to items, queries of them, and the result.

    Args:
      options: of the join.
      events: `[E]` sorted by user, time and row, by column.
      requests: of those events.
      after: microseconds; events up to here are those that an earlier part left. None for none.
    """

    def __init__(
        self, options: JoinOptions, events: Columns, requests: Requests, after: int | None
    ):
        self._options, self._events, self._requests = options, events, requests
        self._after = splits.BEGIN if after is None else after
        role, time, order = events["role"], events["time"], requests.order
        # What an earlier part left was counted there, but may get its labels here.
        self._shown = np.flatnonzero(np.isin(role, SHOWN))
        self._counted = self._shown[time[self._shown] > self._after]
        self._known_at = np.repeat(requests.time, np.diff(requests.starts)) - options.delay
        # An event is mostly a request of its own: one query serves both.
        also = np.zeros(len(role), bool)
        also[self._counted] = True
        also[order[time[order] == self._known_at]] = False
        self._also = np.flatnonzero(also)

    def item_additions(self) -> Additions:
        """Returns the additions of the partition's events to their items."""
        return self._additions(self._events["item"], None)

    def item_queries(self) -> SumQueries:
        """Returns the items of all candidates, `[C]`, and of events at their own time."""
        order, also = self._requests.order, self._also
        item, time = self._events["item"], self._events["time"]
        return SumQueries(np.append(item[order], item[also]), np.append(self._known_at, time[also]))

    def finished(
        self, item_sums: np.ndarray, earlier: Additions | None = None, needed_from: int = 0
    ) -> RunningStatistics:
        """Returns the statistics.

        Args:
          item_sums: `[N, 1 + S]` float64, for `item_queries`.
          earlier: what an earlier part of the log left of the users; None without parts.
          needed_from: microseconds; a later part will need no user's sums before earlier moments.
        """
        # First the sums at the candidates' requests, then those at events' own times where that is
        # another moment; both are put at the events' positions.
        order, requests = self._requests.order, self._requests
        candidates = item_sums[: len(order)]
        at_events = np.zeros((len(self._events["item"]), item_sums.shape[1]))
        at_events[order] = candidates
        at_events[self._also] = item_sums[len(order) :]
        if "item_count" in self._events:
            earlier_rows = self._events["time"] <= self._after
            at_events[earlier_rows, 0] = self._events["item_count"][earlier_rows]
        own = self._additions(self._events["user"], at_events)
        user = self._events["user"][requests.first]
        nothing = np.zeros(0, np.int64)
        sums = CarriedSums(
            Additions(nothing, nothing, own.values[:0]) if earlier is None else earlier, own, user
        )
        of_requests = sums.before(user, requests.time - self._options.delay)
        return RunningStatistics(
            candidates.astype(np.float32),
            of_requests.astype(np.float32),
            self._residual_codes(at_events),
            None if earlier is None else Left(sums.settled(needed_from), at_events[:, 0]),
        )

    def _residual_codes(self, items: np.ndarray) -> np.ndarray:
        """Returns `[E]` codes from the sums of the events' items, 0 for a late statistic."""
        codes = np.zeros(len(items), np.int64)
        if "residual" in self._events:
            codes = self._events["residual"].astype(np.int64)
        first, counted = self._options.statistics[0], self._counted
        if first not in self._options.late_statistics:
            known = items[counted]
            value = self._events[self._column(first)][counted]
            codes[counted] = residual_codes(known[:, 0], known[:, 1], value)
        return codes

    def _additions(self, ids: np.ndarray, items: np.ndarray | None) -> Additions:
        """Returns additions to `ids`: counts and sums, with `items` residuals as well.

        Args:
          ids: `[E]` int64.
          items: `[E, 1 + S]` what had been added to the item of each event that was shown before
            it; of what an earlier part left, the count alone.
        """
        # An event adds a count of 1 and its values at its own time; a late label adds its 1 in
        # rows of their own, at the time from which it is known.
        counted, events, names = self._counted, self._events, self._options.statistics
        late = self._options.late_statistics
        values = np.ones((len(counted), 1 + len(names)))
        for place, name in enumerate(names, 1):
            values[:, place] = 0 if name in late else events[self._column(name)][counted]
        seen = None if items is None else items[counted]
        rows, times, parts = [counted], [events["time"][counted]], [_with_residuals(values, seen)]
        for name in late:
            known = events[f"known_{name}"][self._shown]
            is_new = (events[self._column(name)][self._shown] > 0) & (known > self._after)
            positive = self._shown[is_new]
            values = np.zeros((len(positive), 1 + len(names)))
            values[:, 1 + names.index(name)] = 1
            rows.append(positive)
            times.append(known[is_new])
            seen = None if items is None else items[positive]
            parts.append(_with_residuals(values, seen, expected=False))
        return Additions(ids[np.concatenate(rows)], np.concatenate(times), np.concatenate(parts))

    def _column(self, name: str) -> str:
        return f"{'label' if name in self._options.resolved_labels else 'statistic'}_{name}"


def _with_residuals(
    values: np.ndarray, items: np.ndarray | None, expected: bool = True
) -> np.ndarray:
    """Returns `[N, 1 + S]` additions, and where items are known their residuals, `[N, 2 + 2 S]`.

    Args:
      values: what is added.
      items: `[N, 1 + S]` what had been added to the event's item before the event.
      expected: whether to subtract the item's means; False for a late label, which is no new
        event.
    """
    if items is None:
        return values
    count = items[:, :1]
    means = items / np.maximum(count, 1) if expected else np.zeros_like(items)
    means[:, 0] = 0
    return np.hstack([values, count / (count + RESIDUAL_STRENGTH) * (values - means)])
