"""The join as one composite transform: events in, shards and a summary out."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from absl import logging

from features import hashing, storage
from pipeline import broadcast, sequences, splits, summary
from pipeline.event_batches import ValidatedBatch, event_schema, read_batches
from pipeline.event_log import ReadUnit
from pipeline.join_outputs import PartitionShards, Quarantine
from pipeline.join_plan import JoinPlan
from pipeline.records import RecordEncoder
from pipeline.shards import HashedFile
from pipeline.time_histogram import MergeTimeHistograms, TimeHistogram

SUMMARY = "summary.json"
VOCABULARY = "vocabulary.npy"

_TIMES, _SUMMARIES, _ITEMS = "times", "summaries", "items"


class Join(beam.PTransform):
    """Reads the log's units, writes shards, quarantine, summary and vocabulary.

    Args:
      plan: what to do.
    """

    def __init__(self, plan: JoinPlan):
        super().__init__()
        self._plan = plan

    def expand(self, units: beam.PCollection) -> None:
        plan = self._plan
        read = (
            units
            | "Spread" >> beam.Reshuffle()
            | "ReadAndValidate"
            >> beam.ParDo(_ReadEvents(plan)).with_outputs(_TIMES, _SUMMARIES, main="events")
        )
        cuts = (
            read[_TIMES]
            | "CountTimes" >> beam.CombineGlobally(MergeTimeHistograms())
            | "CutTimes" >> beam.Map(lambda times: times.cut_times(plan.split_fractions))
        )
        written = (
            read["events"]
            | "GroupByPartition" >> beam.GroupByKey()
            | "WriteShards"
            >> beam.ParDo(_WriteShards(plan), cuts=beam.pvalue.AsSingleton(cuts)).with_outputs(
                _ITEMS, main="summaries"
            )
        )
        _ = (
            written[_ITEMS]
            | "TrainItems" >> beam.CombineGlobally(_union)
            | "WriteTrainItems" >> beam.Map(_write_items, storage.join(plan.work, VOCABULARY))
        )
        _ = (
            (read[_SUMMARIES], written["summaries"])
            | "AllSummaries" >> beam.Flatten()
            | "MergeSummaries" >> beam.CombineGlobally(summary.MergeSummaries())
            | "WriteSummary" >> beam.Map(_write_summary, storage.join(plan.work, SUMMARY))
        )


class _ReadEvents(beam.DoFn):
    """From a read unit to `(partition, Arrow IPC bytes)`; counts and quarantines on the way."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(self, unit: ReadUnit) -> Iterator[Any]:
        counts: summary.Summary = {}
        quarantine = Quarantine(self._plan.output, unit)
        try:
            for batch in read_batches(unit, self._plan.columns):
                quarantine.add(batch)
                counts = summary.merge(counts, _read_counts(batch))
                yield beam.pvalue.TaggedOutput(
                    _TIMES, TimeHistogram.of(batch.events["time"].to_numpy())
                )
                if batch.events.num_rows:
                    yield from self._by_partition(batch.events)
        except (pa.ArrowException, OSError) as error:
            name = storage.base_name(unit.path)
            counts = {"unreadable": {f"{name}, row group {unit.row_group}": str(error)}}
        quarantine.close()
        yield beam.pvalue.TaggedOutput(_SUMMARIES, counts)

    def _by_partition(self, events: pa.RecordBatch) -> Iterator[tuple[int, bytes]]:
        partition = hashing.bucket(events["user"].to_numpy(), self._plan.partitions)
        order = np.argsort(partition, kind="stable")
        sorted_events = events.take(pa.array(order))
        keys, starts = np.unique(partition[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        for key, start, end in zip(keys, starts, ends, strict=True):
            yield int(key), _to_bytes(sorted_events.slice(start, end - start))


class _WriteShards(beam.DoFn):
    """From a partition's events to its shards; yields what was written and dropped."""

    def __init__(self, plan: JoinPlan):
        self._plan = plan

    def process(self, element: tuple[int, Iterable[bytes]], cuts: tuple[int, int]) -> Iterator[Any]:
        partition, parts = element
        plan = self._plan
        events = pa.Table.from_batches(
            [_from_bytes(part) for part in parts], event_schema(plan.columns)
        ).combine_chunks()
        kept = sequences.first_of_duplicates(
            *(events[name].to_numpy() for name in ("user", "time", "content", "file", "row"))
        )
        duplicates = len(events) - len(kept)
        events = events.take(pa.array(kept)).combine_chunks()
        requests = sequences.build_requests(
            user=events["user"].to_numpy(),
            time=events["time"].to_numpy(),
            request=events["request"].to_numpy(),
            is_behavior=events["behavior"].to_numpy(),
            history_length=plan.schema.history_length,
            delay=plan.delay,
        )
        behaviors = events.select(["user", "time"]).take(pa.array(requests.behaviors))
        sequences.check_causal(
            requests, behaviors["user"].to_numpy(), behaviors["time"].to_numpy(), plan.delay
        )
        split = self._split(requests, cuts)
        encoder = RecordEncoder(
            plan.schema, broadcast.load(plan.work), events, requests, split, plan.max_candidates
        )
        written = PartitionShards(plan, partition)
        for block in encoder.blocks():
            written.add(block)
        outside = int(np.diff(requests.starts)[split == splits.OUTSIDE].sum())
        counts = summary.merge(
            {"dropped": {"duplicate": duplicates, "outside_splits": outside}},
            _split_counts(plan, events, requests, split, encoder),
        )
        logging.info(
            "Partition %d of %d: %d events, %d requests.",
            partition + 1,
            plan.partitions,
            len(events),
            len(requests.user),
        )
        yield summary.merge(counts, written.close())
        in_train = np.repeat(split == 0, np.diff(requests.starts))
        items = events["item"].to_numpy()[requests.order[in_train]]
        yield beam.pvalue.TaggedOutput(_ITEMS, np.unique(items))

    def _split(self, requests: sequences.Requests, cuts: tuple[int, int]) -> np.ndarray:
        plan = self._plan
        if plan.split_by == "user":
            return splits.assign_by_user(
                plan.split_fractions, requests.first_position, requests.user_events
            )
        ranges = plan.ranges if plan.ranges is not None else splits.split_at(cuts)
        return splits.assign_by_time(ranges, requests.time)


def _read_counts(batch: ValidatedBatch) -> summary.Summary:
    read = batch.events.num_rows + len(batch.rows)
    return {"read": read, "quarantined": summary.counts_of(batch.reasons)}


def _split_counts(
    plan: JoinPlan,
    events: pa.Table,
    requests: sequences.Requests,
    split: np.ndarray,
    encoder: RecordEncoder,
) -> summary.Summary:
    """Returns counts by split, embedding coverage, history lengths and candidates a request."""
    candidates = np.diff(requests.starts)
    history = requests.history_end - requests.history_start
    event_split = np.repeat(split, candidates)
    counts: summary.Summary = {"splits": {}, "written": int((event_split >= 0).sum())}
    for index, name in enumerate(plan.split_names):
        mine, my_events = split == index, event_split == index
        if not mine.any():
            continue
        positives = {
            label: int(events[f"label_{label}"].to_numpy()[requests.order[my_events]].sum())
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


def _union(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))


def _write_items(items: np.ndarray, path: str) -> None:
    with HashedFile(path) as file:
        file.write(items.tobytes())


def _write_summary(values: summary.Summary, path: str) -> None:
    with HashedFile(path) as file:
        file.write(json.dumps(summary.plain(values)).encode())


def _to_bytes(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _from_bytes(data: bytes) -> pa.RecordBatch:
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch()
