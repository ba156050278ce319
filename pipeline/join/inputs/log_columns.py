"""What the columns of a log are to the join, and what its rows are."""

import dataclasses
import enum

from features.schema import SideFeature
from pipeline.join.rules.expressions import Expression


class Role(enum.IntEnum):
    """What a row is to the join; `LABEL_EVENT + k` sets the k-th attributed label."""

    CANDIDATE = 0
    NEGATIVE = 1
    PRIOR = 2
    LABEL_EVENT = 3


@dataclasses.dataclass(frozen=True)
class LogColumns:
    """Which columns of a log the join reads, and what for.

    Attributes:
      labels: names of the labels, in the record's order.
      derived: labels that are computed, by name.
      attributed: labels that events of their own set.
      label_events: which rows are such events, by label.
      sets_label: the label that every row of this log sets; None for the log itself.
      behavior_rule: True for every event, False for none.
      behavior_types: behaviors that pass the k-th have type k + 1.
      context: columns that become context features; a label's own log does not have them.
      statistics: labels and numeric columns whose running sums are recorded.
      has_request_id: whether the log says what was shown together.
      has_timestamp: only where behavior sequences are given a log may lack it.
      split_column: the column that names each row's split.
      timestamp_unit: `s`, `ms` or `us`.
    """

    labels: tuple[str, ...]
    derived: dict[str, Expression]
    attributed: tuple[str, ...]
    label_events: dict[str, Expression]
    sets_label: str | None
    behavior_rule: Expression | bool
    behavior_types: tuple[Expression, ...]
    context: tuple[SideFeature, ...]
    statistics: tuple[str, ...]
    has_request_id: bool
    has_timestamp: bool
    split_column: str | None
    timestamp_unit: str

    @property
    def stored_labels(self) -> tuple[str, ...]:
        """Labels that are columns of the log."""
        if self.sets_label is not None:
            return ()
        computed = {*self.derived, *self.attributed}
        return tuple(label for label in self.labels if label not in computed)

    @property
    def stored_context(self) -> tuple[SideFeature, ...]:
        """Context features that are columns of the log."""
        return self.context if self.sets_label is None else ()

    @property
    def number_statistics(self) -> tuple[str, ...]:
        """Statistics that are columns of the log but no labels."""
        return tuple(name for name in self.statistics if name not in self.labels)

    @property
    def stored_statistics(self) -> tuple[str, ...]:
        """Of those, what a label's own log does not have."""
        return self.number_statistics if self.sets_label is None else ()

    @property
    def late_statistics(self) -> tuple[str, ...]:
        """Statistics that become known by events of their own."""
        return tuple(name for name in self.statistics if name in self.attributed)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression that is evaluated, in order."""
        rule = (self.behavior_rule,) if isinstance(self.behavior_rule, Expression) else ()
        return (*self.derived.values(), *self.label_events.values(), *rule, *self.behavior_types)

    @property
    def computed(self) -> tuple[str, ...]:
        """Labels that expressions may read although the log has no such column."""
        if self.sets_label is not None:
            return self.labels
        return (*self.derived, *self.attributed)

    @property
    def expression_columns(self) -> tuple[str, ...]:
        """Columns of the log that an expression reads."""
        names = {name for expression in self.expressions for name in expression.columns}
        return tuple(sorted(names - set(self.computed)))
