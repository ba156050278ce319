"""From a partition's ready events to its shards, and what is said of them; no Beam."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import threadpoolctl
from absl import logging

from features.files import storage
from features.ids import hashing
from pipeline.join.inputs import prior_behaviors
from pipeline.join.inputs.log_columns import Role
from pipeline.join.join_plan import JoinPlan
from pipeline.join.partition import item_statistics, sequences
from pipeline.join.partition.join_outputs import PartitionShards
from pipeline.join.partition.records import RecordEncoder
from pipeline.join.partition.running_statistics import PartitionStatistics
from pipeline.join.rules import splits
from pipeline.join.transport import broadcast, spill, summary
from pipeline.publishing.shards import HashedFile, shard_name


class PartitionWriter:
    """Writes a partition's records.

    Args:
      plan: what to do.
      cuts: microseconds at which validation and test begin, where fractions decide.
      tables: embeddings and side features of the partition's items and users, or of all.
    """

    def __init__(self, plan: JoinPlan, cuts: tuple[int, int], tables: broadcast.Tables):
        self._plan, self._cuts, self._tables = plan, cuts, tables

    def write(
        self, partition: int, events: pa.Table, answers: Iterable[tuple[int, spill.Block]] = ()
    ) -> tuple[summary.Summary, np.ndarray]:
        """Writes the shards.

        Args:
          partition: its number.
          events: as `partition.prepare` returns them.
          answers: to what `item_mail` asked, where there are running statistics.

        Returns:
          Counts and the shards' hashes, and the distinct items of the first split, `[N]`.
        """
        plan = self._plan
        columns, owner, requests = _requests(events, plan)
        behaviors = requests.behaviors
        sequences.check_causal(requests, owner[behaviors], columns["time"][behaviors], plan.delay)
        first = requests.order[requests.starts[:-1]]
        requests = dataclasses.replace(requests, user=columns["user"][first])
        split = self._split(requests, columns)
        statistics = None
        if plan.columns.statistics:
            one = PartitionStatistics(plan.columns, columns, requests, plan.delay)
            width = 1 + len(plan.columns.statistics)
            asked = one.item_questions()
            found = item_statistics.answers_of(answers, asked, plan.item_buckets, width)
            statistics = one.finished(found)
        encoder = RecordEncoder(
            plan.schema, self._tables, columns, requests, split, plan.max_candidates, statistics
        )
        shards = PartitionShards(plan, partition)
        # A block's matrix product is small: more threads would only wait for each other.
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            for block in encoder.blocks():
                shards.add(block)
        counts = summary.merge(self._counts(columns, requests, split, encoder), shards.close())
        if plan.is_part:
            counts = summary.merge(counts, self._write_state(partition, columns))
        logging.info(
            "Partition %d of %d: %d events, %d requests.",
            partition + 1,
            plan.partitions,
            len(events),
            len(requests.user),
        )
        in_train = np.repeat(split == 0, np.diff(requests.starts))
        return counts, np.unique(columns["item"][requests.order[in_train]])

    def _split(self, requests: sequences.Requests, columns: dict[str, np.ndarray]) -> np.ndarray:
        """Returns the index of each request's split, `[Q]`."""
        plan = self._plan
        if plan.columns.split_column is not None:
            return columns["split"][requests.order[requests.starts[:-1]]].astype(np.int64)
        if plan.split_by == "user":
            return splits.assign_by_user(
                plan.split_fractions, *_logged_positions(requests, columns)
            )
        ranges = plan.ranges if plan.ranges is not None else splits.split_at(self._cuts)
        return splits.assign_by_time(ranges, requests.time)

    def _counts(
        self,
        columns: dict[str, np.ndarray],
        requests: sequences.Requests,
        split: np.ndarray,
        encoder: RecordEncoder,
    ) -> summary.Summary:
        """Returns counts by split, embedding coverage, history lengths and candidates a request."""
        plan = self._plan
        candidates = np.diff(requests.starts)
        history = requests.history_end - requests.history_start
        event_split = np.repeat(split, candidates)
        logged = columns["role"][requests.order] == Role.CANDIDATE
        inside = event_split != splits.OUTSIDE
        counts: summary.Summary = {
            "splits": {},
            "written": int((inside & logged).sum()),
            "dropped": {"outside_splits": int((~inside & logged).sum())},
        }
        for index, name in enumerate(plan.split_names):
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
                "history_length": summary.counts_of(history[mine]),
                "candidates_per_request": summary.counts_of(candidates[mine]),
                "candidates_per_record": summary.counts_of(encoder.candidates_per_record(index)),
                "with_embedding": {
                    modality: int(encoder.has_embedding(modality)[my_events].sum())
                    for modality in plan.schema.modality_names
                },
            }
        return counts

    def _write_state(self, partition: int, columns: dict[str, np.ndarray]) -> summary.Summary:
        """Writes what a later part's histories need of this partition's users."""
        plan = self._plan
        logged = columns["role"] != Role.NEGATIVE
        kept = {name: values[logged] for name, values in columns.items()}
        # The next part begins after this log's last event, which no partition knows: what its
        # first request may not yet see is a matter of the partition's own last event at least.
        last = int(kept["time"].max(initial=splits.BEGIN // 2))
        rows = prior_behaviors.state_rows(
            kept, plan.schema.history_length, last + 1 - plan.delay, plan.negatives is not None
        )
        name = shard_name(prior_behaviors.STATE, partition, plan.partitions, "parquet")
        with HashedFile(storage.join(plan.output, prior_behaviors.STATE, name)) as file:
            file.write(prior_behaviors.state_file(kept, rows))
        return {"state": {name: {"sha256": file.sha256, "rows": len(rows), "last_time": last}}}


def item_mail(
    events: pa.Table, plan: JoinPlan, writer: spill.BlockWriter
) -> Iterator[tuple[int, spill.Block]]:
    """Yields what a partition sends each bucket of items for its running statistics.

    Args:
      events: as `partition.prepare` returns them.
      plan: what to do.
      writer: where blocks wait.
    """
    columns, _, requests = _requests(events, plan)
    one = PartitionStatistics(plan.columns, columns, requests, plan.delay)
    return item_statistics.mail(
        one.item_additions(), one.item_questions(), plan.item_buckets, writer
    )


def _requests(
    events: pa.Table, plan: JoinPlan
) -> tuple[dict[str, np.ndarray], np.ndarray, sequences.Requests]:
    """Returns events by column, whose behavior sequence each belongs to, and the requests."""
    columns = {name: events[name].to_numpy() for name in events.column_names}
    columns, owner = _by_owner(columns)
    role = columns["role"]
    requests = sequences.build_requests(
        user=owner,
        time=columns["time"],
        request=columns["request"],
        is_candidate=(role == Role.CANDIDATE) | (role == Role.NEGATIVE),
        is_behavior=columns["behavior"],
        history_length=plan.schema.history_length,
        delay=plan.delay,
    )
    return columns, owner, requests


def _by_owner(columns: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns events and whose behavior sequence each belongs to, sorted by that.

    That is the user, or where sequences are given by split, the user within a split.
    """
    user, split = columns["user"], columns["split"]
    if not (split[columns["role"] == Role.PRIOR] >= 0).any():
        return columns, user
    owner = hashing.combine(user, split.astype(np.int64))
    order = np.lexsort((np.arange(len(owner)), columns["time"], owner))
    return {name: values[order] for name, values in columns.items()}, owner[order]


def _logged_positions(
    requests: sequences.Requests, columns: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how many of the user's rows precede each request's first, and how many there are.

    Negatives do not count: with them a request stays in its split.
    """
    logged = columns["role"][requests.order] == Role.CANDIDATE
    before = np.append(0, np.cumsum(logged))[requests.starts]
    first, end = (np.searchsorted(requests.user, requests.user, side) for side in ("left", "right"))
    return before[:-1] - before[first], before[end] - before[first]
