"""The join as one composite transform: events in, shards and a summary out."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from features import hashing, storage
from pipeline import (
    arrow_bytes,
    broadcast,
    embedding_shuffle,
    history_cap,
    partition,
    prior_behaviors,
    summary,
)
from pipeline.event_batches import ValidatedBatch, event_schema, read_batches
from pipeline.event_log import EVENTS, ReadUnit, Role
from pipeline.join_outputs import Quarantine
from pipeline.join_plan import JoinPlan
from pipeline.negatives import ItemCounts, MergeItemCounts
from pipeline.partition_writer import PartitionWriter
from pipeline.planner import EmbeddingShuffle
from pipeline.shards import HashedFile
from pipeline.time_histogram import MergeTimeHistograms, TimeHistogram

SUMMARY = "summary.json"
VOCABULARY = "vocabulary.bin"
ITEM_COUNTS = "item_counts.bin"
REJECTED_VECTORS = "rejected_vectors.json"

_TIMES, _SUMMARIES, _ITEMS, _COUNTS, _NEEDS = "times", "summaries", "items", "counts", "needs"


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
            >> beam.ParDo(_ReadEvents(plan)).with_outputs(
                _TIMES, _SUMMARIES, _COUNTS, main="events"
            )
        )
        cuts = (
            read[_TIMES]
            | "CountTimes" >> beam.CombineGlobally(MergeTimeHistograms())
            | "CutTimes" >> beam.Map(lambda times: times.cut_times(plan.split_fractions))
        )
        side_inputs = {"cuts": beam.pvalue.AsSingleton(cuts)}
        if plan.negatives is not None:
            items = self._item_counts(read[_COUNTS])
            side_inputs["items"] = beam.pvalue.AsSingleton(items)
        grouped = read["events"] | "GroupByPartition" >> beam.GroupByKey()
        summaries = [read[_SUMMARIES]]
        if plan.shuffle is None:
            written = grouped | "WriteShards" >> beam.ParDo(
                _PrepareAndWrite(plan), **side_inputs
            ).with_outputs(_ITEMS, main=_SUMMARIES)
        else:
            written, shipped = self._shuffled(plan.shuffle, grouped, side_inputs)
            summaries.append(shipped)
        _ = (
            written[_ITEMS]
            | "TrainItems" >> beam.CombineGlobally(_union)
            | "WriteTrainItems" >> beam.Map(_write_items, storage.join(plan.work, VOCABULARY))
        )
        _ = (
            (*summaries, written[_SUMMARIES])
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
            plan.schema, shuffle
        )
        written = (
            {"events": prepared["events"], "vectors": blocks}
            | "GroupWithVectors" >> beam.CoGroupByKey()
            | "WriteShards"
            >> beam.ParDo(_Write(plan), cuts=cuts).with_outputs(_ITEMS, main=_SUMMARIES)
        )
        _ = (
            rejected
            | "AllRejected" >> beam.combiners.ToList()
            | "WriteRejected"
            >> beam.Map(_write_rejected, storage.join(plan.work, REJECTED_VECTORS))
        )
        return written, summaries


class _ReadEvents(beam.DoFn):
    """From a read unit to `(partition, Arrow bytes)`; counts and quarantines on the way."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(self, unit: ReadUnit) -> Iterator[Any]:
        counts: summary.Summary = {}
        quarantine = Quarantine(self._plan.output, unit)
        try:
            for batch in self._batches(unit):
                quarantine.add(batch)
                counts = summary.merge(counts, _read_counts(unit, batch))
                events, dropped = self._needed(batch.events)
                counts = summary.merge(counts, {"dropped": dropped})
                yield from self._observed(unit, events)
                if events.num_rows:
                    yield from self._by_partition(events)
        except (pa.ArrowException, OSError) as error:
            name = storage.base_name(unit.path)
            counts = {"unreadable": {f"{name}, row group {unit.row_group}": str(error)}}
        quarantine.close()
        yield beam.pvalue.TaggedOutput(_SUMMARIES, counts)

    def _batches(self, unit: ReadUnit) -> Iterator[ValidatedBatch]:
        plan = self._plan
        if unit.source == prior_behaviors.HISTORIES:
            return prior_behaviors.read_histories(unit, plan.sequence_rules)
        if unit.source == prior_behaviors.STATE:
            return prior_behaviors.read_state(unit, plan.columns)
        if unit.source == EVENTS:
            return read_batches(unit, plan.columns)
        return read_batches(unit, plan.label_columns[unit.source])

    def _observed(self, unit: ReadUnit, events: pa.RecordBatch) -> Iterator[Any]:
        """Yields what the whole log is counted for: times of candidates, items."""
        if unit.source != EVENTS:
            return
        shown = _numpy(events["role"]) == Role.CANDIDATE
        time, item = _numpy(events["time"])[shown], _numpy(events["item"])[shown]
        if self._plan.ranges is None:
            yield beam.pvalue.TaggedOutput(_TIMES, TimeHistogram.of(time))
        if self._plan.negatives is not None:
            yield beam.pvalue.TaggedOutput(_COUNTS, ItemCounts.of(item, time))

    def _needed(self, events: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, int]]:
        """Returns the events that any record can need, and why others are dropped."""
        plan, dropped = self._plan, {}
        if plan.after is not None:
            late = (_numpy(events["role"]) != Role.PRIOR) & (_numpy(events["time"]) <= plan.after)
            dropped["before_part"] = int(late.sum())
            events = events.filter(pa.array(~late)) if late.any() else events
        if plan.cap_before is not None:
            capped = history_cap.cap(
                events, plan.cap_before, plan.delay, plan.schema.history_length
            )
            dropped["outside_splits"] = events.num_rows - capped.num_rows
            events = capped
        return events, dropped

    def _by_partition(self, events: pa.RecordBatch) -> Iterator[tuple[int, bytes]]:
        keys = hashing.bucket(events["user"].to_numpy(), self._plan.partitions)
        order = np.argsort(keys, kind="stable")
        sorted_events = events.take(pa.array(order))
        distinct, starts = np.unique(keys[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        for key, start, end in zip(distinct.tolist(), starts, ends, strict=True):
            yield key, arrow_bytes.to_bytes(sorted_events.slice(start, end - start))


class _PrepareAndWrite(beam.DoFn):
    """From a partition's events to its shards, with tables that hold every vector."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(
        self,
        element: tuple[int, Iterable[bytes]],
        cuts: tuple[int, int],
        items: ItemCounts | None = None,
    ) -> Iterator[Any]:
        number, parts = element
        plan = self._plan
        events = arrow_bytes.table_of(parts, event_schema(plan.columns))
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
        self, element: tuple[int, Iterable[bytes]], items: ItemCounts | None = None
    ) -> Iterator[Any]:
        number, parts = element
        plan = self._plan
        events = arrow_bytes.table_of(parts, event_schema(plan.columns))
        ready = partition.prepare(events, plan, items)
        needs = embedding_shuffle.needs_of(number, ready.events["item"].to_numpy(), self._buckets)
        for need in needs:
            yield beam.pvalue.TaggedOutput(_NEEDS, need)
        yield number, (arrow_bytes.to_bytes(arrow_bytes.one_batch(ready.events)), ready.counts)


class _Write(beam.DoFn):
    """From a partition's ready events and the vectors it was sent to its shards."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(
        self, element: tuple[int, dict[str, Iterable[Any]]], cuts: tuple[int, int]
    ) -> Iterator[Any]:
        number, values = element
        plan = self._plan
        ((data, prepared),) = values["events"]
        events = arrow_bytes.table_of([data], event_schema(plan.columns))
        side = broadcast.load(plan.work)
        sets = embedding_shuffle.tables_of(values["vectors"], plan.schema)
        tables = broadcast.Tables(sets, side.items, side.users)
        counts, train_items = PartitionWriter(plan, cuts, tables).write(number, events)
        yield summary.merge(prepared, counts)
        yield beam.pvalue.TaggedOutput(_ITEMS, train_items)


def _read_counts(unit: ReadUnit, batch: ValidatedBatch) -> summary.Summary:
    """Returns rows read and quarantined; of given sequences apart, since a row is many events."""
    quarantined = summary.counts_of(batch.reasons)
    if unit.source == prior_behaviors.STATE:
        return {}
    if unit.source == prior_behaviors.HISTORIES:
        return {"histories": {"behaviors": batch.events.num_rows, "quarantined": quarantined}}
    return {"read": batch.events.num_rows + len(batch.rows), "quarantined": quarantined}


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


def _numpy(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False)
