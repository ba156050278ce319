"""Reading the sums that an earlier part left, spread over partitions and buckets."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa

from pipeline.join.inputs import part_state
from pipeline.join.inputs.event_log import ReadUnit
from pipeline.join.inputs.part_state import ITEMS, USERS
from pipeline.join.partition import sum_state
from pipeline.join.plan import JoinPlan
from pipeline.join.read_events import SUMMARIES
from pipeline.join.transport import spill, summary


def read_sums(unit: ReadUnit, plan: JoinPlan) -> Iterator[Any]:
    """From a unit to blocks by partition, tagged `USERS`, and by bucket of items, tagged `ITEMS`.

    Yields:
      Also, tagged, the summary of a unit that cannot be read.
    """
    places = {USERS: plan.decision.partitions, ITEMS: plan.item_buckets}[unit.source]
    of_events = 1 + len(plan.options.statistics)
    width = {USERS: 2 * of_events, ITEMS: of_events}[unit.source]
    with spill.BlockWriter(plan.spill) as writer:
        try:
            blocks = sum_state.blocks_of(unit.unit, width, places, writer)
        except (pa.ArrowException, OSError) as error:
            found = part_state.unreadable(unit.unit.path, error)
            found.__cause__ = error
            yield beam.pvalue.TaggedOutput(SUMMARIES, summary.unreadable(found))
            return
    for block in blocks:
        yield beam.pvalue.TaggedOutput(unit.source, block)
