"""Steps over partitions for `beam.FlatMap`: preparing, writing, and item statistics between."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from pipeline.join.inputs.event_batches import event_schema
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.inputs.log_columns import Role
from pipeline.join.inputs.part_state import ITEMS
from pipeline.join.partition import held_requests, item_statistics, sum_state
from pipeline.join.partition.item_statistics import ItemBucket
from pipeline.join.partition.partition_writer import PartitionWriter
from pipeline.join.partition.prepare import prepare
from pipeline.join.partition.ready_partition import ReadyPartition
from pipeline.join.partition.running_statistics import PartitionStatistics
from pipeline.join.plan import JoinPlan
from pipeline.join.read_events import SUMMARIES
from pipeline.join.transport import arrow_bytes, broadcast, embedding_shuffle, spill, summary
from pipeline.join.transport.spill import SpilledBlock

TRAIN_ITEMS = "train_items"
NEEDS, ITEM_REQUESTS = "needs", "item_requests"
READY, VECTORS, ITEM_SUMS = "ready", "vectors", "item_sums"
USER_STATE, ITEM_STATE = "user_state", "item_state"


def prepare_and_write(
    element: tuple[int, Iterable[SpilledBlock]],
    plan: JoinPlan,
    cuts: tuple[int, int],
    items: ItemCounts | None = None,
    last: int | None = None,
) -> Iterator[Any]:
    """From a partition's events to its shards, with tables that hold every vector.

    Yields:
      The partition's summary, and tagged its items of the first split.
    """
    number, blocks = element
    ready, prepared = _ready(blocks, plan, items, last)
    writer = PartitionWriter(plan, cuts, broadcast.load(plan.work), last)
    yield from _written(writer, number, ready, prepared)


def prepare_partition(
    element: tuple[int, Iterable[SpilledBlock]],
    plan: JoinPlan,
    items: ItemCounts | None = None,
    last: int | None = None,
) -> Iterator[Any]:
    """From a partition's events to the ready partition, and what it needs of items.

    Yields:
      The partition's blocks and counts, and tagged its needs of vectors and of sums.
    """
    number, blocks = element
    ready, counts = _ready(blocks, plan, items, last)
    if plan.decision.shuffle is not None:
        buckets = plan.decision.shuffle.buckets
        for need in embedding_shuffle.needs_of(number, ready.events["item"], buckets):
            yield beam.pvalue.TaggedOutput(NEEDS, need)
    requests: list[tuple[int, SpilledBlock]] = []
    with spill.BlockWriter(plan.spill) as writer:
        stored = ready.put(writer)
        if plan.options.statistics:
            one = PartitionStatistics(plan.options, ready.events, ready.requests, plan.after)
            requests += item_statistics.requests_by_bucket(
                one.item_additions(),
                one.item_queries(),
                ready.events["item"][ready.events["role"] == Role.WAITING],
                held_requests.needed_from(ready.events, plan.options.delay, last),
                plan.item_buckets,
                writer,
            )
    for bucket, block in requests:
        yield beam.pvalue.TaggedOutput(ITEM_REQUESTS, (bucket, (number, block)))
    yield number, (stored, counts)


def compute_item_statistics(
    element: tuple[int, dict[str, Iterable[Any]]], plan: JoinPlan
) -> Iterator[Any]:
    """From `(bucket, (partition, request))` to `(partition, (bucket, sums))`.

    Yields:
      Also, of a data set of parts, the summary of what the next part goes on from, tagged.
    """
    bucket, values = element
    width, carries = 1 + len(plan.options.statistics), plan.options.carries_sums
    earlier = sum_state.additions_of(values.get(ITEM_STATE, ()), width)
    one = ItemBucket(values[ITEM_REQUESTS], earlier)
    with spill.BlockWriter(plan.spill) as writer:
        sums = list(one.answers(writer))
    for partition, block in sums:
        yield partition, (bucket, block)
    if carries:
        left = sum_state.write(plan.output, ITEMS, bucket, plan.item_buckets, one.settled())
        yield beam.pvalue.TaggedOutput(SUMMARIES, left)


def write_partition(
    element: tuple[int, dict[str, Iterable[Any]]],
    plan: JoinPlan,
    cuts: tuple[int, int],
    last: int | None = None,
) -> Iterator[Any]:
    """From a ready partition, its vectors and its items' and users' sums to its shards.

    Yields:
      As `prepare_and_write`.
    """
    number, values = element
    ((stored, prepared),) = values[READY]
    tables = broadcast.load(plan.work)
    if plan.decision.shuffle is not None:
        sets = embedding_shuffle.tables_of(values[VECTORS], plan.schema)
        tables = dataclasses.replace(tables, embeddings=sets)
    writer = PartitionWriter(plan, cuts, tables, last)
    sums = values.get(ITEM_SUMS, ()), values.get(USER_STATE, ())
    yield from _written(writer, number, ReadyPartition.read(stored), prepared, *sums)


def _ready(
    blocks: Iterable[SpilledBlock], plan: JoinPlan, items: ItemCounts | None, last: int | None
) -> tuple[ReadyPartition, summary.Summary]:
    events = arrow_bytes.table_of(map(spill.read, blocks), event_schema(plan.columns))
    events, counts = prepare(events, plan, items, last)
    return ReadyPartition.of(events, plan.options), counts


def _written(
    writer: PartitionWriter,
    number: int,
    ready: ReadyPartition,
    prepared: summary.Summary,
    item_sums: Iterable[tuple[int, SpilledBlock]] = (),
    user_state: Iterable[SpilledBlock] = (),
) -> Iterator[Any]:
    counts, train_items = writer.write(number, ready, item_sums, user_state)
    yield summary.merge(prepared, counts)
    yield beam.pvalue.TaggedOutput(TRAIN_ITEMS, train_items)
