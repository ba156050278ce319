"""Running statistics: counts and sums of users and items just before each request.

Events are the log's own rows, duplicates left out: a label that arrived as an event of its own
counts from that event's time on, drawn negatives and given behaviors do not count. What a request
may know is strictly older than its time less the behaviors' delay. Sums are float64 and become
float32 in the record.
"""

import dataclasses

import numpy as np

from features.records.running_statistics import RESIDUAL_STRENGTH, residual_codes
from pipeline.join.inputs.log_columns import Role
from pipeline.join.options import JoinOptions
from pipeline.join.partition.cumulative_sums import CumulativeSums
from pipeline.join.partition.sequences import Requests

Columns = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class RunningStatistics:
    """Values of the records; the layout is that of `features.records.running_statistics`.

    Attributes:
      candidates: `[C, 1 + S]` float32, in the order of `Requests.order`.
      requests: `[Q, 2 + 2 S]` float32.
      events: `[E]` int64 residual codes of the partition's events, sorted as they are.
    """

    candidates: np.ndarray
    requests: np.ndarray
    events: np.ndarray


@dataclasses.dataclass(frozen=True)
class Additions:
    """Additions to the sums of ids, `[N]` int64 twice and `[N, W]` float64.

    Attributes:
      ids: of the sums.
      times: microseconds.
      values: for each column.
    """

    ids: np.ndarray
    times: np.ndarray
    values: np.ndarray


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
    """

    def __init__(self, options: JoinOptions, events: Columns, requests: Requests):
        self._options, self._events, self._requests = options, events, requests
        self._counted = np.flatnonzero(events["role"] == Role.CANDIDATE)
        order = requests.order
        self._known_at = np.repeat(requests.time, np.diff(requests.starts)) - options.delay
        # An event is mostly a request of its own: one query serves both.
        own = events["role"][order] == Role.CANDIDATE
        self._also = np.flatnonzero(own & (events["time"][order] != self._known_at))

    def item_additions(self) -> Additions:
        """Returns the additions of the partition's events to their items."""
        return self._additions(self._events["item"], None)

    def item_queries(self) -> SumQueries:
        """Returns the items of all candidates, `[C]`, and of events at their own time."""
        order, item, time = self._requests.order, self._events["item"], self._events["time"]
        also = order[self._also]
        return SumQueries(np.append(item[order], item[also]), np.append(self._known_at, time[also]))

    def finished(self, item_sums: np.ndarray) -> RunningStatistics:
        """Returns the statistics.

        Args:
          item_sums: `[N, 1 + S]` float64, for `item_queries`.
        """
        # First the sums at the candidates' requests, then those at events' own times where that is
        # another moment; both are put at the events' positions.
        order, requests = self._requests.order, self._requests
        candidates = item_sums[: len(order)]
        at_events = np.zeros((len(self._events["item"]), item_sums.shape[1]))
        at_events[order] = candidates
        at_events[order[self._also]] = item_sums[len(order) :]
        of_users = self._additions(self._events["user"], at_events[self._counted])
        sums = CumulativeSums(of_users.ids, of_users.times, of_users.values)
        user = self._events["user"][requests.first]
        own = sums.before(user, requests.time - self._options.delay)
        return RunningStatistics(
            candidates.astype(np.float32), own.astype(np.float32), self._residual_codes(at_events)
        )

    def _residual_codes(self, items: np.ndarray) -> np.ndarray:
        """Returns `[E]` codes from the sums of the events' items, 0 for a late statistic."""
        codes = np.zeros(len(items), np.int64)
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
          items: `[N, 1 + S]` what had been added to each counted event's item before it.
        """
        # An event adds a count of 1 and its values at its own time; a late label adds its 1 in
        # rows of their own, at the time from which it is known.
        counted, events, names = self._counted, self._events, self._options.statistics
        late = self._options.late_statistics
        values = np.ones((len(counted), 1 + len(names)))
        for place, name in enumerate(names, 1):
            values[:, place] = 0 if name in late else events[self._column(name)][counted]
        rows, times, parts = [counted], [events["time"][counted]], [_with_residuals(values, items)]
        for name in late:
            positive = np.flatnonzero(events[self._column(name)][counted] > 0)
            values = np.zeros((len(positive), 1 + len(names)))
            values[:, 1 + names.index(name)] = 1
            rows.append(counted[positive])
            times.append(events[f"known_{name}"][counted[positive]])
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
