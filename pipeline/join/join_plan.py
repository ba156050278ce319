"""What the workers of the join need to know."""

import dataclasses
from typing import Any

from pydantic import TypeAdapter

from features.files import storage
from features.schema import ExampleSchema
from pipeline.join.inputs.join_inputs import JoinInputs
from pipeline.join.inputs.log_columns import LogColumns
from pipeline.join.inputs.prior_behaviors import SequenceRules
from pipeline.join.options import JoinOptions
from pipeline.join.partition import negatives
from pipeline.join.partition.negatives import NegativesRule
from pipeline.join.planner import Decision, EmbeddingShuffle
from pipeline.join.rules import splits

_INPUTS = (
    "events",
    "output",
    "embeddings",
    "items",
    "users",
    "histories",
    "label_logs",
    "part",
)
_WITHOUT_EFFECT = ("embedding_strategy", "broadcast_limit_mib", "new_version")


@dataclasses.dataclass(frozen=True)
class JoinPlan:
    """What the workers need to know; no absolute path in it determines a byte.

    Attributes:
      columns: what is read of the log.
      label_columns: what is read of each label's own log, by source.
      sequence_rules: what given sequences are held to.
      schema: of the records.
      partitions: users are spread over so many.
      attributed: labels that events of their own set.
      attributed_by_request: whether each is matched by request as well.
      windows: of each, microseconds.
      negatives: None for none.
      split_fractions: used where neither `ranges` nor the log's split column decides.
      split_by: `global` or `user`.
      ranges: explicit splits.
      delay: microseconds until a behavior is known.
      max_candidates: of a record.
      after: microseconds; events up to here belong to earlier parts. None for a log of its own.
      is_part: whether later parts may follow, which need this one's behaviors.
      shuffle: None where every worker holds all vectors.
      output: folder for shards and quarantine, complete only when published.
      work: folder for look-up tables and results that the launcher reads.
      spill: folder where blocks wait between steps; None to leave them to the runner.
    """

    columns: LogColumns
    label_columns: dict[str, LogColumns]
    sequence_rules: SequenceRules
    schema: ExampleSchema
    partitions: int
    attributed: tuple[str, ...]
    attributed_by_request: tuple[bool, ...]
    windows: tuple[int, ...]
    negatives: NegativesRule | None
    split_fractions: tuple[float, float, float]
    split_by: str
    ranges: tuple[splits.Split, ...] | None
    delay: int
    max_candidates: int
    after: int | None
    is_part: bool
    shuffle: EmbeddingShuffle | None
    output: str
    work: str
    spill: str | None

    @property
    def split_names(self) -> tuple[str, ...]:
        """The names of the splits, in order."""
        if self.ranges is None:
            return splits.FRACTION_SPLITS
        return tuple(split.name for split in self.ranges)

    @property
    def item_buckets(self) -> int:
        """Over how many buckets items are spread for running statistics.

        Fewer than partitions, since an event is a few numbers there: every partition sends every
        bucket a block.
        """
        return max(1, self.partitions // 4)

    @property
    def cap_before(self) -> int | None:
        """Microseconds before which no event can be in a record but as a behavior.

        None where that is not certain: a request may begin before a split and end in it, label
        events may come for older candidates, negatives avoid everything that was seen, and
        running statistics count it.
        """
        uncertain = (
            self.columns.has_request_id
            or self.attributed
            or self.negatives is not None
            or self.columns.statistics
        )
        if self.ranges is None or uncertain:
            return None
        return min(split.begin for split in self.ranges)


def parameters(options: JoinOptions, partitions: int) -> dict[str, Any]:
    """Returns what, besides the inputs, determines the output's bytes; for the manifest.

    Args:
      options: of the join.
      partitions: as the planner chose.
    """
    values = TypeAdapter(JoinOptions).dump_python(options, mode="json")
    for name in (*_INPUTS, *_WITHOUT_EFFECT):
        del values[name]
    # Data sets from before there were statistics are the same as ones without.
    if not options.statistics:
        del values["statistics"]
    values["partitions"] = partitions
    values["labels"] = list(options.resolved_labels)
    if options.splits is None and options.split_column is None:
        values["split_fractions"] = list(options.resolved_split_fractions)
    return values


def make(
    options: JoinOptions,
    inputs: JoinInputs,
    decision: Decision,
    output: str,
    work: str,
    after: int | None,
    in_process: bool,
) -> JoinPlan:
    """Returns the plan.

    Args:
      options: of the join.
      inputs: opened.
      decision: the planner's.
      output: folder for shards and quarantine.
      work: folder for look-up tables and results that the launcher reads.
      after: microseconds of the last event of earlier parts, None if there are none.
      in_process: whether the runner would hold in memory what passes between steps.
    """
    log = inputs.log
    by_request = {one.columns.sets_label: one.columns.has_request_id for one in inputs.label_logs}
    schema = inputs.schema(options)
    return JoinPlan(
        columns=log.columns,
        label_columns={one.source: one.columns for one in inputs.label_logs},
        sequence_rules=SequenceRules(log.columns, options.history_types, options.history_length),
        schema=schema,
        partitions=decision.partitions,
        attributed=options.attributed,
        attributed_by_request=tuple(
            log.columns.has_request_id and by_request.get(label, True)
            for label in options.attributed
        ),
        windows=options.windows,
        negatives=negatives.parse(options.negatives) if options.negatives else None,
        split_fractions=options.resolved_split_fractions,
        split_by=options.split_by,
        ranges=splits.parse_ranges(options.splits, options.timestamp_unit)
        if options.splits
        else None,
        delay=options.behavior_delay * 1_000_000,
        max_candidates=options.max_candidates,
        after=after,
        is_part=options.part is not None,
        shuffle=decision.shuffle,
        output=output,
        work=work,
        spill=storage.join(work, "blocks") if in_process and not storage.is_remote(work) else None,
    )
