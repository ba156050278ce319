"""The plan of a join, sent to every worker."""

import dataclasses

from features.schema import ExampleSchema
from features.tables.reader import Reader
from pipeline.join.inputs.log_columns import LogColumns
from pipeline.join.options import JoinOptions
from pipeline.join.planner import Decision


@dataclasses.dataclass(frozen=True)
class JoinPlan:
    """The plan of a join, for its workers; its paths do not affect the output's bytes.

    Attributes:
      options: of the join.
      columns: of the log.
      label_columns: of each label's own log, by source.
      histories: reads given behavior sequences; None if there are none.
      schema: of the records.
      decision: the planner's.
      after: microseconds; events up to here belong to earlier parts. None without parts, and for
        the first part.
      knows_end: whether every partition knows the log's last event, and takes part without events
        of its own too: of a part that carries sums or requests, or whose log is empty.
      output: staging folder for shards and quarantine.
      work: folder for look-up tables and results that the launcher reads.
      spill: folder where blocks wait between steps; None to leave them to the runner.
    """

    options: JoinOptions
    columns: LogColumns
    label_columns: dict[str, LogColumns]
    histories: Reader | None
    schema: ExampleSchema
    decision: Decision
    after: int | None
    knows_end: bool
    output: str
    work: str
    spill: str | None

    @property
    def item_buckets(self) -> int:
        """How many buckets items are spread over for running statistics.

        A quarter of the partitions: an event is only a few numbers there, and every partition
        sends a block to every bucket.
        """
        return max(1, self.decision.partitions // 4)

    @property
    def cap_before(self) -> int | None:
        """Microseconds before which an event can be in a record only as a behavior.

        None where that is not certain: a request may begin before a split and end in it, label
        events may come for older candidates, negatives avoid everything that was seen, and
        running statistics count it.
        """
        options = self.options
        uncertain = (
            self.columns.has_request_id
            or options.attributed
            or options.negatives is not None
            or options.statistics
        )
        if options.split_ranges is None or uncertain:
            return None
        return min(split.begin for split in options.split_ranges)

    def attributed_by_request(self, label: str) -> bool:
        """Whether events of a label are matched by request id as well as by user and item."""
        own = self.label_columns.get(f"label_{label}", self.columns)
        return self.columns.has_request_id and own.has_request_id
