"""Steps over partitions for `beam.FlatMap`: preparing, writing, and item statistics between."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from pipeline.join.inputs.event_batches import event_schema
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.partition import item_statistics
from pipeline.join.partition.partition_writer import PartitionWriter
from pipeline.join.partition.prepare import prepare
from pipeline.join.partition.ready_partition import ReadyPartition
from pipeline.join.partition.running_statistics import PartitionStatistics
from pipeline.join.plan import JoinPlan
from pipeline.join.transport import arrow_bytes, broadcast, embedding_shuffle, spill, summary
from pipeline.join.transport.spill import SpilledBlock

TRAIN_ITEMS = "train_items"
NEEDS, ITEM_REQUESTS = "needs", "item_requests"
READY, VECTORS, ITEM_SUMS = "ready", "vectors", "item_sums"


def prepare_and_write(
    element: tuple[int, Iterable[SpilledBlock]],
    plan: JoinPlan,
    cuts: tuple[int, int],
    items: ItemCounts | None = None,
) -> Iterator[Any]:
    """From a partition's events to its shards, with tables that hold every vector.

    Yields:
      The partition's summary, and tagged its items of the first split.
    """
    number, blocks = element
    ready, prepared = _ready(blocks, plan, items)
    yield from _written(
        PartitionWriter(plan, cuts, broadcast.load(plan.work)), number, ready, prepared
    )


def prepare_partition(
    element: tuple[int, Iterable[SpilledBlock]], plan: JoinPlan, items: ItemCounts | None = None
) -> Iterator[Any]:
    """From a partition's events to the ready partition, and what it needs of items.

    Yields:
      The partition's blocks and counts, and tagged its needs of vectors and of sums.
    """
    number, blocks = element
    ready, counts = _ready(blocks, plan, items)
    if plan.decision.shuffle is not None:
        buckets = plan.decision.shuffle.buckets
        for need in embedding_shuffle.needs_of(number, ready.events["item"], buckets):
            yield beam.pvalue.TaggedOutput(NEEDS, need)
    requests: list[tuple[int, SpilledBlock]] = []
    with spill.BlockWriter(plan.spill) as writer:
        stored = ready.put(writer)
        if plan.options.statistics:
            one = PartitionStatistics(plan.options, ready.events, ready.requests)
            requests += item_statistics.requests_by_bucket(
                one.item_additions(), one.item_queries(), plan.item_buckets, writer
            )
    for bucket, block in requests:
        yield beam.pvalue.TaggedOutput(ITEM_REQUESTS, (bucket, (number, block)))
    yield number, (stored, counts)


def compute_item_statistics(
    element: tuple[int, Iterable[tuple[int, SpilledBlock]]], folder: str | None
) -> Iterator[tuple[int, tuple[int, SpilledBlock]]]:
    """From `(bucket, (partition, request))` to `(partition, (bucket, sums))`."""
    bucket, received = element
    with spill.BlockWriter(folder) as writer:
        sums = list(item_statistics.bucket_sums(received, writer))
    for partition, block in sums:
        yield partition, (bucket, block)


def write_partition(
    element: tuple[int, dict[str, Iterable[Any]]], plan: JoinPlan, cuts: tuple[int, int]
) -> Iterator[Any]:
    """From a ready partition, its vectors and its items' sums to its shards.

    Yields:
      As `prepare_and_write`.
    """
    number, values = element
    ((stored, prepared),) = values[READY]
    tables = broadcast.load(plan.work)
    if plan.decision.shuffle is not None:
        sets = embedding_shuffle.tables_of(values[VECTORS], plan.schema)
        tables = dataclasses.replace(tables, embeddings=sets)
    writer = PartitionWriter(plan, cuts, tables)
    yield from _written(
        writer, number, ReadyPartition.read(stored), prepared, values.get(ITEM_SUMS, ())
    )


def _ready(
    blocks: Iterable[SpilledBlock], plan: JoinPlan, items: ItemCounts | None
) -> tuple[ReadyPartition, summary.Summary]:
    events = arrow_bytes.table_of(map(spill.read, blocks), event_schema(plan.columns))
    events, counts = prepare(events, plan, items)
    return ReadyPartition.of(events, plan.options), counts


def _written(
    writer: PartitionWriter,
    number: int,
    ready: ReadyPartition,
    prepared: summary.Summary,
    item_sums: Iterable[tuple[int, SpilledBlock]] = (),
) -> Iterator[Any]:
    counts, train_items = writer.write(number, ready, item_sums)
    yield summary.merge(prepared, counts)
    yield beam.pvalue.TaggedOutput(TRAIN_ITEMS, train_items)
