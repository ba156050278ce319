"""The join as one composite transform: row groups in, shards and results out."""

import json
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np

from features.files import storage
from pipeline.join.inputs import item_counts, part_state, time_histogram
from pipeline.join.inputs.event_batches import event_schema
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.inputs.part_state import ITEMS, USERS, PartState
from pipeline.join.partition_steps import (
    ITEM_REQUESTS,
    ITEM_STATE,
    ITEM_SUMS,
    NEEDS,
    READY,
    TRAIN_ITEMS,
    USER_STATE,
    VECTORS,
    compute_item_statistics,
    prepare_and_write,
    prepare_partition,
    write_partition,
)
from pipeline.join.plan import JoinPlan
from pipeline.join.read_events import COUNTS, LAST, SUMMARIES, TIMES, ReadEvents
from pipeline.join.read_sums import read_sums
from pipeline.join.rules import splits
from pipeline.join.transport import arrow_bytes, embedding_shuffle, summary
from pipeline.join.transport.spill import SpilledBlock
from pipeline.publishing.shards import HashedFile

_SUMMARY = "summary.json"
_TRAIN_ITEMS = "train_items.bin"


class Join(beam.PTransform):
    """Reads row groups, writes shards, quarantine and state, and results for `read_results`.

    Args:
      plan: of the join.
      earlier: what the parts before have left.
    """

    def __init__(self, plan: JoinPlan, earlier: PartState):
        super().__init__()
        self._plan, self._earlier = plan, earlier

    def expand(self, units: beam.PCollection) -> None:
        plan = self._plan
        read = (
            units
            | "Spread" >> beam.Reshuffle()
            | "ReadAndValidate"
            >> beam.ParDo(ReadEvents(plan)).with_outputs(
                TIMES, SUMMARIES, COUNTS, LAST, main="events"
            )
        )
        cuts = (
            read[TIMES]
            | "CountTimes" >> beam.CombineGlobally(time_histogram.merge_all)
            | "CutTimes"
            >> beam.Map(lambda times: times.cut_times(plan.options.resolved_split_fractions))
        )
        side_inputs = {"cuts": beam.pvalue.AsSingleton(cuts)}
        if plan.options.negatives is not None:
            items = self._item_counts(read[COUNTS])
            side_inputs["items"] = beam.pvalue.AsSingleton(items)
        events = read["events"]
        if plan.knows_end:
            first = splits.BEGIN // 2 if plan.after is None else plan.after
            last = read[LAST] | "LastEvent" >> beam.CombineGlobally(
                lambda times: max(times, default=first)
            )
            side_inputs["last"] = beam.pvalue.AsSingleton(last)
            partitions = units.pipeline | "AllPartitions" >> beam.Create(_empty_blocks(plan))
            events = (events, partitions) | "EventsOrNone" >> beam.Flatten()
        grouped = events | "GroupByPartition" >> beam.GroupByKey()
        summaries = [read[SUMMARIES]]
        if plan.decision.shuffle is None and not plan.options.statistics:
            written = grouped | "WriteShards" >> beam.FlatMap(
                prepare_and_write, plan, **side_inputs
            ).with_outputs(TRAIN_ITEMS, main=SUMMARIES)
        else:
            written, shipped = self._in_two_steps(grouped, side_inputs)
            summaries += shipped
        _ = (
            written[TRAIN_ITEMS]
            | "TrainItems" >> beam.CombineGlobally(_union)
            | "TrainItemBytes" >> beam.Map(np.ndarray.tobytes)
            | "WriteTrainItems" >> beam.Map(_write, storage.join(plan.work, _TRAIN_ITEMS))
        )
        _ = (
            (*summaries, written[SUMMARIES])
            | "AllSummaries" >> beam.Flatten()
            | "MergeSummaries" >> beam.CombineGlobally(summary.merge_all)
            | "SummaryBytes" >> beam.Map(lambda counts: json.dumps(summary.plain(counts)).encode())
            | "WriteSummary" >> beam.Map(_write, storage.join(plan.work, _SUMMARY))
        )

    def _item_counts(self, counts: beam.PCollection) -> beam.PCollection:
        """Returns the log's items with those of earlier parts."""
        plan = self._plan
        if self._earlier.items is not None:
            earlier = counts.pipeline | "EarlierItems" >> beam.Create([self._earlier.items])
            counts = (counts, earlier) | "AllItems" >> beam.Flatten()
        items = counts | "CountItems" >> beam.CombineGlobally(item_counts.merge_all)
        if plan.options.part is not None:
            window = plan.options.longest_window if plan.options.wait_for_labels else 0
            _ = (
                items
                | "Settle" >> beam.Map(ItemCounts.settled, window)
                | "WriteItemCounts" >> beam.Map(part_state.write_item_counts, plan.output)
            )
        return items

    def _in_two_steps(
        self, grouped: beam.PCollection, side_inputs: dict[str, Any]
    ) -> tuple[Any, list[beam.PCollection]]:
        """Writes partitions that receive vectors, items' statistics, or both."""
        plan = self._plan
        cuts = side_inputs.pop("cuts")
        last = {name: one for name, one in side_inputs.items() if name == "last"}
        prepared = grouped | "Prepare" >> beam.FlatMap(
            prepare_partition, plan, **side_inputs
        ).with_outputs(NEEDS, ITEM_REQUESTS, main=READY)
        parts, summaries = {READY: prepared[READY]}, []
        if plan.decision.shuffle is not None:
            ship = embedding_shuffle.ShipVectors(plan.schema, plan.decision.shuffle, plan.spill)
            parts[VECTORS], shipped = prepared[NEEDS] | "Vectors" >> ship
            summaries.append(shipped)
        if plan.options.statistics:
            of_items = {ITEM_REQUESTS: prepared[ITEM_REQUESTS]}
            if self._earlier.sums:
                sums = (
                    grouped.pipeline
                    | "SumUnits" >> beam.Create(self._earlier.sums)
                    | "SpreadSums" >> beam.Reshuffle()
                    | "ReadSums"
                    >> beam.FlatMap(read_sums, plan).with_outputs(SUMMARIES, USERS, ITEMS)
                )
                of_items[ITEM_STATE], parts[USER_STATE] = sums[ITEMS], sums[USERS]
                summaries.append(sums[SUMMARIES])
            computed = (
                of_items
                | "GroupByItemBucket" >> beam.CoGroupByKey()
                | "ComputeItemStatistics"
                >> beam.FlatMap(compute_item_statistics, plan).with_outputs(
                    SUMMARIES, main=ITEM_SUMS
                )
            )
            parts[ITEM_SUMS] = computed[ITEM_SUMS]
            summaries.append(computed[SUMMARIES])
        written = (
            parts
            | "GroupWithNeeds" >> beam.CoGroupByKey()
            | "WriteShards"
            >> beam.FlatMap(write_partition, plan, cuts=cuts, **last).with_outputs(
                TRAIN_ITEMS, main=SUMMARIES
            )
        )
        return written, summaries


def read_results(plan: JoinPlan) -> tuple[summary.Summary, np.ndarray]:
    """Reads the results of a join that has ended.

    Returns:
      The summary of the whole job, and the distinct items of the first split, `[N]` int64.

    Raises:
      UserInputError: an input could not be read.
    """
    counts, items = (
        storage.read_bytes(storage.join(plan.work, name)) for name in (_SUMMARY, _TRAIN_ITEMS)
    )
    # An empty log has no unit that counts rows.
    found = {"read": 0, "quarantined": {}, **json.loads(counts)}
    summary.raise_unreadable(found)
    return found, np.frombuffer(items, np.int64)


def _empty_blocks(plan: JoinPlan) -> list[tuple[int, SpilledBlock]]:
    """Returns a block without events for each partition."""
    schema = event_schema(plan.columns)
    block = arrow_bytes.to_bytes(arrow_bytes.one_batch(schema.empty_table()))
    return [(number, block) for number in range(plan.decision.partitions)]


def _union(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _write(data: bytes, path: str) -> None:
    with HashedFile(path) as file:
        file.write(data)
