"""Reading a unit of any input: validated, quarantined, counted, and spread over partitions."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from features.errors import UserInputError
from features.ids import hashing
from features.tables.reader import unreadable
from pipeline.join.inputs import event_log, given_histories, history_cap, part_state, state_rows
from pipeline.join.inputs.event_batches import (
    ValidatedBatch,
    event_schema,
    numpy_of,
    read_batches,
)
from pipeline.join.inputs.event_log import EVENTS, ReadUnit
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.inputs.log_columns import Role
from pipeline.join.inputs.quarantine import Quarantine
from pipeline.join.inputs.time_histogram import TimeHistogram
from pipeline.join.plan import JoinPlan
from pipeline.join.transport import arrow_bytes, spill, summary
from pipeline.join.transport.spill import SpilledBlock

TIMES, SUMMARIES, COUNTS, LAST = "times", "summaries", "counts", "last"

_ROWS_AT_ONCE = 1 << 19
"""Rows that are spread over partitions together: fewer would make many small blocks."""


class ReadEvents(beam.DoFn):
    """From a read unit to `(partition, block of events)`; counts and quarantines on the way.

    Args:
      plan: of the join.
    """

    def __init__(self, plan: JoinPlan):
        self._plan = plan
        self._logs = (EVENTS, *plan.label_columns)

    def process(self, unit: ReadUnit) -> Iterator[Any]:
        """Yields blocks, and tagged times, items and counts of the whole log."""
        counts: summary.Summary = {}
        blocks: list[tuple[int, SpilledBlock]] = []
        quarantine = Quarantine(self._plan.output, unit)
        waiting: list[pa.RecordBatch] = []
        with spill.BlockWriter(self._plan.spill) as writer:
            try:
                for batch in self._batches(unit):
                    quarantine.add(batch)
                    counts = summary.merge(counts, _read_counts(unit, batch))
                    events, dropped = self._needed(unit, batch.events)
                    counts = summary.merge(counts, {"dropped": dropped})
                    yield from self._observed(unit, events)
                    waiting.append(events)
                    if sum(part.num_rows for part in waiting) >= _ROWS_AT_ONCE:
                        blocks += self._by_partition(waiting, writer)
                        waiting = []
                if unit.source in self._logs and self._plan.options.filter is not None:
                    filtered = unit.unit.place.rows - counts.get("read", 0)
                    counts = summary.merge(counts, {"filtered": filtered})
            except (pa.ArrowException, OSError) as error:
                found = _error(unit, error)
                found.__cause__ = error
                counts = summary.unreadable(found)
            blocks += self._by_partition(waiting, writer)
        quarantine.close()
        yield from blocks
        yield beam.pvalue.TaggedOutput(SUMMARIES, counts)

    def _batches(self, unit: ReadUnit) -> Iterator[ValidatedBatch]:
        plan = self._plan
        if plan.histories is not None and unit.source == given_histories.HISTORIES:
            return given_histories.read_histories(unit.unit, plan.columns, plan.histories)
        if unit.source == part_state.STATE:
            return state_rows.read_rows(unit.unit, plan.columns)
        if unit.source == EVENTS:
            return read_batches(unit.unit, plan.columns)
        return read_batches(unit.unit, plan.label_columns[unit.source])

    def _observed(self, unit: ReadUnit, events: pa.RecordBatch) -> Iterator[Any]:
        """Yields what is counted over the whole log: times of candidates, items, the last event."""
        if self._plan.knows_end and unit.source in self._logs and events.num_rows:
            yield beam.pvalue.TaggedOutput(LAST, int(numpy_of(events["time"]).max()))
        if unit.source != EVENTS:
            return
        shown = numpy_of(events["role"]) == Role.CANDIDATE
        time, item = numpy_of(events["time"])[shown], numpy_of(events["item"])[shown]
        if self._plan.options.split_ranges is None:
            yield beam.pvalue.TaggedOutput(TIMES, TimeHistogram.of(time))
        if self._plan.options.negatives is not None:
            yield beam.pvalue.TaggedOutput(COUNTS, ItemCounts.of(item, time))

    def _needed(
        self, unit: ReadUnit, events: pa.RecordBatch
    ) -> tuple[pa.RecordBatch, dict[str, int]]:
        """Returns the events that a record can need, and counts of the others by reason."""
        if unit.source == part_state.STATE:
            return events, {}
        plan, dropped = self._plan, {}
        if plan.after is not None:
            late = numpy_of(events["time"]) <= plan.after
            dropped["before_part"] = int(late.sum())
            events = events.filter(pa.array(~late)) if late.any() else events
        if plan.cap_before is not None:
            delay, length = plan.options.delay, plan.options.history_length
            capped = history_cap.cap(events, plan.cap_before, delay, length)
            dropped["outside_splits"] = events.num_rows - capped.num_rows
            events = capped
        return events, dropped

    def _by_partition(
        self, batches: list[pa.RecordBatch], writer: spill.BlockWriter
    ) -> list[tuple[int, SpilledBlock]]:
        """Returns a block for each partition that has events."""
        events = pa.Table.from_batches(batches, event_schema(self._plan.columns)).combine_chunks()
        if not events.num_rows:
            return []
        keys = hashing.bucket(events["user"].to_numpy(), self._plan.decision.partitions)
        order = np.argsort(keys, kind="stable")
        sorted_events = arrow_bytes.one_batch(events.take(pa.array(order)))
        # Events of partitions 2 0 2 are sorted to 0 2 2: blocks are the rows 0:1 and 1:3.
        distinct, starts = np.unique(keys[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        return [
            (key, writer.put(arrow_bytes.to_bytes(sorted_events.slice(start, end - start))))
            for key, start, end in zip(distinct.tolist(), starts, ends, strict=True)
        ]


def _error(unit: ReadUnit, error: Exception) -> UserInputError:
    """Returns the error of a unit that could not be read."""
    if unit.source == part_state.STATE:
        return part_state.unreadable(unit.unit.path, error)
    return unreadable(event_log.flag_of(unit.source), unit.unit, error)


def _read_counts(unit: ReadUnit, batch: ValidatedBatch) -> summary.Summary:
    """Returns rows read and quarantined; given sequences apart, since a row is many events."""
    quarantined = summary.counts_of(batch.reasons)
    if unit.source == part_state.STATE:
        return {}
    if unit.source == given_histories.HISTORIES:
        return {"histories": {"behaviors": batch.events.num_rows, "quarantined": quarantined}}
    return {"read": batch.events.num_rows + len(batch.rows), "quarantined": quarantined}
