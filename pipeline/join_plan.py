"""What the workers of the join need to know."""

import dataclasses

from features.schema import ExampleSchema
from pipeline import splits
from pipeline.event_log import LogColumns


@dataclasses.dataclass(frozen=True)
class JoinPlan:
    """What the workers need to know; no absolute path in it determines a byte.

    Attributes:
      columns: what is read of the log.
      schema: of the records.
      partitions: users are spread over so many.
      split_fractions: used where `ranges` is None.
      split_by: `global` or `user`.
      ranges: explicit splits.
      delay: microseconds until a behavior is known.
      max_candidates: of a record.
      output: folder for shards and quarantine, complete only when published.
      work: folder for look-up tables and results that the launcher reads.
    """

    columns: LogColumns
    schema: ExampleSchema
    partitions: int
    split_fractions: tuple[float, float, float]
    split_by: str
    ranges: tuple[splits.Split, ...] | None
    delay: int
    max_candidates: int
    output: str
    work: str

    @property
    def split_names(self) -> tuple[str, ...]:
        """The names of the splits, in order."""
        if self.ranges is None:
            return splits.FRACTION_SPLITS
        return tuple(split.name for split in self.ranges)
