"""The join as one composite transform: events in, shards and a summary out."""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np

from features.files import storage
from pipeline.join.inputs.event_batches import event_schema
from pipeline.join.join_plan import JoinPlan
from pipeline.join.partition import partition_writer, prepare
from pipeline.join.partition.item_statistics import AnswerQuestions
from pipeline.join.partition.negatives import ItemCounts, MergeItemCounts
from pipeline.join.partition.partition_writer import PartitionWriter
from pipeline.join.planner import EmbeddingShuffle
from pipeline.join.read_events import COUNTS, SUMMARIES, TIMES, ReadEvents
from pipeline.join.time_histogram import MergeTimeHistograms
from pipeline.join.transport import arrow_bytes, broadcast, embedding_shuffle, spill, summary
from pipeline.publishing.shards import HashedFile

SUMMARY = "summary.json"
VOCABULARY = "vocabulary.bin"
ITEM_COUNTS = "item_counts.bin"
REJECTED_VECTORS = "rejected_vectors.json"

_ITEMS, _NEEDS, _MAIL = "items", "needs", "mail"
_EVENTS, _VECTORS, _ANSWERS = "events", "vectors", "answers"


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
        if plan.shuffle is None and not plan.columns.statistics:
            written = grouped | "WriteShards" >> beam.ParDo(
                _PrepareAndWrite(plan), **side_inputs
            ).with_outputs(_ITEMS, main=SUMMARIES)
        else:
            written, shipped = self._in_two_steps(grouped, side_inputs)
            summaries += shipped
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

    def _in_two_steps(
        self, grouped: beam.PCollection, side_inputs: dict[str, Any]
    ) -> tuple[Any, list[beam.PCollection]]:
        """Writes partitions that are sent what they need: vectors, items' statistics, or both."""
        plan = self._plan
        cuts = side_inputs.pop("cuts")
        prepared = grouped | "Prepare" >> beam.ParDo(_Prepare(plan), **side_inputs).with_outputs(
            _NEEDS, _MAIL, main=_EVENTS
        )
        parts, summaries = {_EVENTS: prepared[_EVENTS]}, []
        if plan.shuffle is not None:
            parts[_VECTORS], shipped = self._vectors(plan.shuffle, prepared[_NEEDS])
            summaries.append(shipped)
        if plan.columns.statistics:
            parts[_ANSWERS] = (
                prepared[_MAIL]
                | "GroupByItemBucket" >> beam.GroupByKey()
                | "SumByItem" >> beam.ParDo(AnswerQuestions(plan.spill))
            )
        written = (
            parts
            | "GroupWithNeeds" >> beam.CoGroupByKey()
            | "WriteShards"
            >> beam.ParDo(_Write(plan), cuts=cuts).with_outputs(_ITEMS, main=SUMMARIES)
        )
        return written, summaries

    def _vectors(
        self, shuffle: EmbeddingShuffle, needs: beam.PCollection
    ) -> tuple[beam.PCollection, beam.PCollection]:
        """Returns the vectors that partitions need, and what there is to say of the sets."""
        plan = self._plan
        blocks, summaries, rejected = needs | "Vectors" >> embedding_shuffle.ShipVectors(
            plan.schema, shuffle, plan.spill
        )
        _ = (
            rejected
            | "AllRejected" >> beam.combiners.ToList()
            | "WriteRejected"
            >> beam.Map(_write_rejected, storage.join(plan.work, REJECTED_VECTORS))
        )
        return blocks, summaries


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
        ready = prepare.prepare(events, plan, items)
        writer = PartitionWriter(plan, cuts, broadcast.load(plan.work))
        counts, train_items = writer.write(number, ready.events)
        yield summary.merge(ready.counts, counts)
        yield beam.pvalue.TaggedOutput(_ITEMS, train_items)


class _Prepare(beam.DoFn):
    """From a partition's events to its ready events, and what it needs of items."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(
        self, element: tuple[int, Iterable[spill.Block]], items: ItemCounts | None = None
    ) -> Iterator[Any]:
        number, blocks = element
        plan = self._plan
        events = arrow_bytes.table_of(map(spill.read, blocks), event_schema(plan.columns))
        ready = prepare.prepare(events, plan, items)
        if plan.shuffle is not None:
            seen = ready.events["item"].to_numpy()
            for need in embedding_shuffle.needs_of(number, seen, plan.shuffle.buckets):
                yield beam.pvalue.TaggedOutput(_NEEDS, need)
        mail: list[tuple[int, spill.Block]] = []
        with spill.BlockWriter(plan.spill) as writer:
            block = writer.put(arrow_bytes.to_bytes(arrow_bytes.one_batch(ready.events)))
            if plan.columns.statistics:
                mail = list(partition_writer.item_mail(ready.events, plan, writer))
        for bucket, letter in mail:
            yield beam.pvalue.TaggedOutput(_MAIL, (bucket, (number, letter)))
        yield number, (block, ready.counts)


class _Write(beam.DoFn):
    """From a partition's ready events and what it was sent to its shards."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(
        self, element: tuple[int, dict[str, Iterable[Any]]], cuts: tuple[int, int]
    ) -> Iterator[Any]:
        number, values = element
        plan = self._plan
        ((block, prepared),) = values[_EVENTS]
        events = arrow_bytes.table_of([spill.read(block)], event_schema(plan.columns))
        tables = broadcast.load(plan.work)
        if plan.shuffle is not None:
            sets = embedding_shuffle.tables_of(values[_VECTORS], plan.schema)
            tables = dataclasses.replace(tables, embeddings=sets)
        writer = PartitionWriter(plan, cuts, tables)
        counts, train_items = writer.write(number, events, values.get(_ANSWERS, ()))
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
