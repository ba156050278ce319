"""The join as one composite transform: events in, shards and a summary out."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from features import storage
from pipeline import arrow_bytes, broadcast, embedding_shuffle, partition, spill, summary
from pipeline.event_batches import event_schema
from pipeline.join_plan import JoinPlan
from pipeline.negatives import ItemCounts, MergeItemCounts
from pipeline.partition_writer import PartitionWriter
from pipeline.planner import EmbeddingShuffle
from pipeline.read_events import COUNTS, SUMMARIES, TIMES, ReadEvents
from pipeline.shards import HashedFile
from pipeline.time_histogram import MergeTimeHistograms

SUMMARY = "summary.json"
VOCABULARY = "vocabulary.bin"
ITEM_COUNTS = "item_counts.bin"
REJECTED_VECTORS = "rejected_vectors.json"

_ITEMS, _NEEDS = "items", "needs"


class Join(beam.PTransform):
    """Reads the log's units, writes shards, quarantine, summary and vocabulary.

    Args:
      plan: what to do.
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
            | "CountTimes" >> beam.CombineGlobally(MergeTimeHistograms())
            | "CutTimes" >> beam.Map(lambda times: times.cut_times(plan.split_fractions))
        )
        side_inputs = {"cuts": beam.pvalue.AsSingleton(cuts)}
        if plan.negatives is not None:
            items = self._item_counts(read[COUNTS])
            side_inputs["items"] = beam.pvalue.AsSingleton(items)
        grouped = read["events"] | "GroupByPartition" >> beam.GroupByKey()
        summaries = [read[SUMMARIES]]
        if plan.shuffle is None:
            written = grouped | "WriteShards" >> beam.ParDo(
                _PrepareAndWrite(plan), **side_inputs
            ).with_outputs(_ITEMS, main=SUMMARIES)
        else:
            written, shipped = self._shuffled(plan.shuffle, grouped, side_inputs)
            summaries.append(shipped)
        _ = (
            written[_ITEMS]
            | "TrainItems" >> beam.CombineGlobally(_union)
            | "WriteTrainItems" >> beam.Map(_write_items, storage.join(plan.work, VOCABULARY))
        )
        _ = (
            (*summaries, written[SUMMARIES])
            | "AllSummaries" >> beam.Flatten()
            | "MergeSummaries" >> beam.CombineGlobally(summary.MergeSummaries())
            | "WriteSummary" >> beam.Map(_write_summary, storage.join(plan.work, SUMMARY))
        )

    def _item_counts(self, counts: beam.PCollection) -> beam.PCollection:
        """Returns the log's items with those of earlier parts."""
        plan = self._plan
        if self._earlier_items is not None:
            earlier = counts.pipeline | "EarlierItems" >> beam.Create([self._earlier_items])
            counts = (counts, earlier) | "AllItems" >> beam.Flatten()
        items = counts | "CountItems" >> beam.CombineGlobally(MergeItemCounts())
        if plan.is_part:
            path = storage.join(plan.work, ITEM_COUNTS)
            _ = items | "WriteItemCounts" >> beam.Map(_write_item_counts, path)
        return items

    def _shuffled(
        self, shuffle: EmbeddingShuffle, grouped: beam.PCollection, side_inputs: dict[str, Any]
    ) -> tuple[Any, beam.PCollection]:
        """Writes partitions that are sent the vectors they need."""
        plan = self._plan
        cuts = side_inputs.pop("cuts")
        prepared = grouped | "Prepare" >> beam.ParDo(
            _Prepare(plan, shuffle.buckets), **side_inputs
        ).with_outputs(_NEEDS, main="events")
        blocks, summaries, rejected = prepared[_NEEDS] | "Vectors" >> embedding_shuffle.ShipVectors(
            plan.schema, shuffle, plan.spill
        )
        written = (
            {"events": prepared["events"], "vectors": blocks}
            | "GroupWithVectors" >> beam.CoGroupByKey()
            | "WriteShards"
            >> beam.ParDo(_Write(plan), cuts=cuts).with_outputs(_ITEMS, main=SUMMARIES)
        )
        _ = (
            rejected
            | "AllRejected" >> beam.combiners.ToList()
            | "WriteRejected"
            >> beam.Map(_write_rejected, storage.join(plan.work, REJECTED_VECTORS))
        )
        return written, summaries


class _PrepareAndWrite(beam.DoFn):
    """From a partition's events to its shards, with tables that hold every vector."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(
        self,
        element: tuple[int, Iterable[spill.Block]],
        cuts: tuple[int, int],
        items: ItemCounts | None = None,
    ) -> Iterator[Any]:
        number, blocks = element
        plan = self._plan
        events = arrow_bytes.table_of(map(spill.read, blocks), event_schema(plan.columns))
        ready = partition.prepare(events, plan, items)
        writer = PartitionWriter(plan, cuts, broadcast.load(plan.work))
        counts, train_items = writer.write(number, ready.events)
        yield summary.merge(ready.counts, counts)
        yield beam.pvalue.TaggedOutput(_ITEMS, train_items)


class _Prepare(beam.DoFn):
    """From a partition's events to its ready events, and the items whose vectors it needs."""

    def __init__(self, plan: JoinPlan, buckets: int):
        self._plan, self._buckets = plan, buckets

    def process(
        self, element: tuple[int, Iterable[spill.Block]], items: ItemCounts | None = None
    ) -> Iterator[Any]:
        number, blocks = element
        plan = self._plan
        events = arrow_bytes.table_of(map(spill.read, blocks), event_schema(plan.columns))
        ready = partition.prepare(events, plan, items)
        needs = embedding_shuffle.needs_of(number, ready.events["item"].to_numpy(), self._buckets)
        for need in needs:
            yield beam.pvalue.TaggedOutput(_NEEDS, need)
        with spill.BlockWriter(plan.spill) as writer:
            block = writer.put(arrow_bytes.to_bytes(arrow_bytes.one_batch(ready.events)))
        yield number, (block, ready.counts)


class _Write(beam.DoFn):
    """From a partition's ready events and the vectors it was sent to its shards."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(
        self, element: tuple[int, dict[str, Iterable[Any]]], cuts: tuple[int, int]
    ) -> Iterator[Any]:
        number, values = element
        plan = self._plan
        ((block, prepared),) = values["events"]
        events = arrow_bytes.table_of([spill.read(block)], event_schema(plan.columns))
        side = broadcast.load(plan.work)
        sets = embedding_shuffle.tables_of(values["vectors"], plan.schema)
        tables = broadcast.Tables(sets, side.items, side.users)
        counts, train_items = PartitionWriter(plan, cuts, tables).write(number, events)
        yield summary.merge(prepared, counts)
        yield beam.pvalue.TaggedOutput(_ITEMS, train_items)


def _union(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _write_items(items: np.ndarray, path: str) -> None:
    with HashedFile(path) as file:
        file.write(items.tobytes())


def _write_item_counts(items: ItemCounts, path: str) -> None:
    with HashedFile(path) as file:
        file.write(np.stack([items.items, items.counts, items.first]).tobytes())


def _write_summary(values: summary.Summary, path: str) -> None:
    with HashedFile(path) as file:
        file.write(json.dumps(summary.plain(values)).encode())


def _write_rejected(rows: list[tuple[str, dict[str, Any]]], path: str) -> None:
    with HashedFile(path) as file:
        file.write(json.dumps(rows).encode())
