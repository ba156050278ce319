"""The join as one composite transform: row groups in, shards and results out."""

import json
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np

from features.files import storage
from pipeline.join.inputs import item_counts, part_state, time_histogram
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.partition_steps import (
    ITEM_REQUESTS,
    ITEM_SUMS,
    NEEDS,
    READY,
    TRAIN_ITEMS,
    VECTORS,
    compute_item_statistics,
    prepare_and_write,
    prepare_partition,
    write_partition,
)
from pipeline.join.plan import JoinPlan
from pipeline.join.read_events import COUNTS, SUMMARIES, TIMES, ReadEvents
from pipeline.join.transport import embedding_shuffle, summary
from pipeline.publishing.shards import HashedFile

_SUMMARY = "summary.json"
_TRAIN_ITEMS = "train_items.bin"


class Join(beam.PTransform):
    """Reads row groups, writes shards, quarantine and state, and results for `read_results`.

    Args:
      plan: of the join.
      earlier_items: the items of earlier parts, where negatives are drawn.
    """

    def __init__(self, plan: JoinPlan, earlier_items: ItemCounts | None = None):
        super().__init__()
        self._plan, self._earlier_items = plan, earlier_items

    def expand(self, units: beam.PCollection) -> None:
        plan = self._plan
        read = (
            units
            | "Spread" >> beam.Reshuffle()
            | "ReadAndValidate"
            >> beam.ParDo(ReadEvents(plan)).with_outputs(TIMES, SUMMARIES, COUNTS, main="events")
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
        grouped = read["events"] | "GroupByPartition" >> beam.GroupByKey()
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
        if self._earlier_items is not None:
            earlier = counts.pipeline | "EarlierItems" >> beam.Create([self._earlier_items])
            counts = (counts, earlier) | "AllItems" >> beam.Flatten()
        items = counts | "CountItems" >> beam.CombineGlobally(item_counts.merge_all)
        if plan.options.part is not None:
            _ = items | "WriteItemCounts" >> beam.Map(part_state.write_item_counts, plan.output)
        return items

    def _in_two_steps(
        self, grouped: beam.PCollection, side_inputs: dict[str, Any]
    ) -> tuple[Any, list[beam.PCollection]]:
        """Writes partitions that receive vectors, items' statistics, or both."""
        plan = self._plan
        cuts = side_inputs.pop("cuts")
        prepared = grouped | "Prepare" >> beam.FlatMap(
            prepare_partition, plan, **side_inputs
        ).with_outputs(NEEDS, ITEM_REQUESTS, main=READY)
        parts, summaries = {READY: prepared[READY]}, []
        if plan.decision.shuffle is not None:
            ship = embedding_shuffle.ShipVectors(plan.schema, plan.decision.shuffle, plan.spill)
            parts[VECTORS], shipped = prepared[NEEDS] | "Vectors" >> ship
            summaries.append(shipped)
        if plan.options.statistics:
            parts[ITEM_SUMS] = (
                prepared[ITEM_REQUESTS]
                | "GroupByItemBucket" >> beam.GroupByKey()
                | "ComputeItemStatistics" >> beam.FlatMap(compute_item_statistics, plan.spill)
            )
        written = (
            parts
            | "GroupWithNeeds" >> beam.CoGroupByKey()
            | "WriteShards"
            >> beam.FlatMap(write_partition, plan, cuts=cuts).with_outputs(
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
    found = json.loads(counts)
    summary.raise_unreadable(found)
    return found, np.frombuffer(items, np.int64)


def _union(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _write(data: bytes, path: str) -> None:
    with HashedFile(path) as file:
        file.write(data)
