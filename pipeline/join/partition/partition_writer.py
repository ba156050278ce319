"""Writing a ready partition: splits, running statistics, shards, state and counts."""

from collections.abc import Iterable

import numpy as np
import threadpoolctl
from absl import logging

from pipeline.join.inputs import state_rows
from pipeline.join.inputs.log_columns import Role
from pipeline.join.inputs.part_state import USERS
from pipeline.join.partition import downsampling, held_requests, item_statistics, sum_state
from pipeline.join.partition.partition_shards import PartitionShards
from pipeline.join.partition.ready_partition import ReadyPartition
from pipeline.join.partition.records import RecordEncoder
from pipeline.join.partition.running_statistics import PartitionStatistics, RunningStatistics
from pipeline.join.partition.sequences import Requests
from pipeline.join.plan import JoinPlan
from pipeline.join.rules import splits
from pipeline.join.rules.option_checks import TRAIN
from pipeline.join.transport import broadcast, summary
from pipeline.join.transport.spill import SpilledBlock


class PartitionWriter:
    """Writes a partition's records.

    Args:
      plan: of the join.
      cuts: microseconds at which validation and test begin, where fractions decide.
      tables: embeddings and side features of the partition's items and users, or of all.
      last: microseconds of the log's last event, where the plan wants it known.
    """

    def __init__(
        self,
        plan: JoinPlan,
        cuts: tuple[int, int],
        tables: broadcast.Tables,
        last: int | None = None,
    ):
        self._plan, self._cuts, self._tables, self._last = plan, cuts, tables, last

    def write(
        self,
        partition: int,
        ready: ReadyPartition,
        item_sums: Iterable[tuple[int, SpilledBlock]] = (),
        user_state: Iterable[SpilledBlock] = (),
    ) -> tuple[summary.Summary, np.ndarray]:
        """Writes the shards.

        Args:
          partition: its number.
          ready: its events and requests.
          item_sums: buckets' answers to `item_statistics.requests_by_bucket`, where there are
            running statistics.
          user_state: what an earlier part left of the sums of the partition's users.

        Returns:
          Counts and the shards' hashes, and the distinct items of the first split, `[N]`.
        """
        plan = self._plan
        columns, requests = ready.events, ready.requests
        split = self._split(requests, columns)
        statistics = self._statistics(ready, item_sums, user_state)
        sampled: summary.Summary = {}
        if (rule := plan.options.downsampling) is not None:
            train = plan.options.split_names.index(TRAIN)
            sample = downsampling.sample(rule, columns, requests, split, train, statistics)
            requests, split, statistics = sample.requests, sample.split, sample.statistics
            sampled = sample.counts
        encoder = RecordEncoder(
            plan.schema,
            self._tables,
            columns,
            requests,
            split,
            plan.options.max_candidates,
            statistics,
        )
        shards = PartitionShards(plan, partition)
        # A block's matrix product is small: more threads would only wait for each other.
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            for block in encoder.blocks():
                shards.add(block)
        counts = self._counts(columns, requests, split, encoder)
        counts = summary.merge_all([counts, sampled, shards.close()])
        partitions = plan.decision.partitions
        if plan.options.part is not None:
            counts |= self._state(partition, columns, statistics)
        logging.info(
            "Partition %d of %d: %d events, %d requests.",
            partition + 1,
            partitions,
            len(columns["user"]),
            len(requests.user),
        )
        in_train = np.repeat(split == 0, np.diff(requests.starts))
        return counts, np.unique(columns["item"][requests.order[in_train]])

    def _statistics(
        self,
        ready: ReadyPartition,
        item_sums: Iterable[tuple[int, SpilledBlock]],
        user_state: Iterable[SpilledBlock],
    ) -> RunningStatistics | None:
        plan, options = self._plan, self._plan.options
        if not options.statistics:
            return None
        one = PartitionStatistics(options, ready.events, ready.requests, plan.after)
        width = 1 + len(options.statistics)
        sums = item_statistics.sums_of(item_sums, one.item_queries(), plan.item_buckets, width)
        if not options.carries_sums:
            return one.finished(sums)
        needed_from = held_requests.needed_from(ready.events, options.delay, self._last)
        return one.finished(sums, sum_state.additions_of(user_state, 2 * width), needed_from)

    def _state(
        self, partition: int, columns: dict[str, np.ndarray], statistics: RunningStatistics | None
    ) -> summary.Summary:
        """Writes what the next part needs, and returns the manifest's entries."""
        plan, options, last = self._plan, self._plan.options, self._last
        if last is None:
            # The next part begins after this log's last event, which no partition knows: it is the
            # partition's own last event or later.
            logged = columns["time"][columns["role"] != Role.NEGATIVE]
            last = int(logged.max(initial=splits.BEGIN // 2))
        found: summary.Summary = {}
        partitions = plan.decision.partitions
        if statistics is not None and statistics.left is not None:
            codes, left = statistics.events.astype(np.uint8), statistics.left
            columns = {**columns, "residual": codes, "item_count": left.item_count}
            found = sum_state.write(plan.output, USERS, partition, partitions, left.users)
        needed_from = held_requests.needed_from(columns, options.delay, last)
        found["state"] = state_rows.write_rows(
            plan.output, options, partition, partitions, columns, last, needed_from
        )
        return found

    def _split(self, requests: Requests, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Returns the index of each request's split, `[Q]`."""
        plan, options = self._plan, self._plan.options
        if plan.columns.split_column is not None:
            return columns["split"][requests.first].astype(np.int64)
        if options.split_by == "user":
            positions = _logged_positions(requests, columns)
            return splits.assign_by_user(options.resolved_split_fractions, *positions)
        ranges = options.split_ranges
        ranges = splits.split_at(self._cuts) if ranges is None else ranges
        return splits.assign_by_time(ranges, requests.time)

    def _counts(
        self,
        columns: dict[str, np.ndarray],
        requests: Requests,
        split: np.ndarray,
        encoder: RecordEncoder,
    ) -> summary.Summary:
        """Returns counts by split: embedding coverage, history lengths, candidates per request."""
        plan = self._plan
        candidates = np.diff(requests.starts)
        history = requests.history_end - requests.history_start
        event_split = np.repeat(split, candidates)
        logged = columns["role"][requests.order] == Role.CANDIDATE
        inside = event_split != splits.OUTSIDE
        counts: summary.Summary = {
            **self._held(columns),
            "splits": {},
            "written": int((inside & logged).sum()),
            "dropped": {"outside_splits": int((~inside & logged).sum())},
        }
        for index, name in enumerate(plan.options.split_names):
            mine, my_events = split == index, event_split == index
            if not mine.any():
                continue
            positives = {
                label: int(columns[f"label_{label}"][requests.order[my_events]].sum())
                for label in plan.schema.labels
            }
            counts["splits"][name] = {
                "requests": int(mine.sum()),
                "candidates": int(my_events.sum()),
                "positives": positives,
                **(
                    {"zero_weights": int((columns["weight"][requests.order[my_events]] == 0).sum())}
                    if plan.schema.weighted
                    else {}
                ),
                "history_length": summary.counts_of(history[mine]),
                "candidates_per_request": summary.counts_of(candidates[mine]),
                "candidates_per_record": summary.counts_of(encoder.candidates_per_record(index)),
                "with_embedding": {
                    modality: int(encoder.has_embedding(modality)[my_events].sum())
                    for modality in plan.schema.modality_names
                },
            }
        return counts

    def _held(self, columns: dict[str, np.ndarray]) -> summary.Summary:
        """Returns how many candidates earlier parts left to this one, and it to the next."""
        role, after = columns["role"], self._plan.after
        waiting = role == Role.WAITING
        taken = np.zeros(0, bool)
        if after is not None:
            taken = (waiting | (role == Role.CANDIDATE)) & (columns["time"] <= after)
        counts = {"taken": int(taken.sum()), "left": int(waiting.sum())}
        return {"held": counts} if self._plan.options.wait_for_labels or counts["taken"] else {}


def _logged_positions(
    requests: Requests, columns: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of the user's rows before each request's first, and of all of them.

    Negatives do not count: with them a request stays in its split.
    """
    # Three requests of one user with 2 1 1 logged rows: `before` is 0 2 3 4, the positions are
    # 0 2 3 of 4 rows.
    logged = columns["role"][requests.order] == Role.CANDIDATE
    before = np.append(0, np.cumsum(logged))[requests.starts]
    first, end = (np.searchsorted(requests.user, requests.user, side) for side in ("left", "right"))
    return before[:-1] - before[first], before[end] - before[first]
