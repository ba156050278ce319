"""Which columns of a log the join reads, and which roles its rows have."""

import dataclasses
import enum

from features.schema import REQUEST_ID, SideFeature
from features.tables.expressions import Expression
from features.tables.reader import Reader
from pipeline.join.options import JoinOptions


class Role(enum.IntEnum):
    """The role of a row.

    `CANDIDATE` was shown, `NEGATIVE` was drawn, `PRIOR` is a behavior of a given history or of an
    earlier part. `WAITING` is a candidate that this part leaves to the next, `WRITTEN` one that an
    earlier part wrote and whose attribution window is open. `LABEL_EVENT + k` sets `attributed[k]`,
    counted from 0. The states of parts hold the numbers of the first five.
    """

    CANDIDATE = 0
    NEGATIVE = 1
    PRIOR = 2
    WAITING = 3
    WRITTEN = 4
    LABEL_EVENT = 5


SHOWN = (Role.CANDIDATE, Role.WAITING, Role.WRITTEN)
"""Roles of rows that were shown, which label events are matched to."""


@dataclasses.dataclass(frozen=True)
class LogColumns:
    """The columns of one log: the options, resolved against its files.

    Attributes:
      options: of the join.
      sets_label: the label that every row of this log sets; None for the log itself.
      context: columns that become context features; a label's own log does not have them.
      has_request_id: whether the log names what was shown together.
      has_timestamp: False is allowed only where behavior sequences are given.
      reader: of the log's files.
    """

    options: JoinOptions
    sets_label: str | None
    context: tuple[SideFeature, ...]
    has_request_id: bool
    has_timestamp: bool
    reader: Reader

    @property
    def derived(self) -> dict[str, Expression]:
        """Labels that are computed from this log, by name."""
        return dict(self.options.derived) if self.sets_label is None else {}

    @property
    def label_events(self) -> dict[str, Expression]:
        """Which rows of this log set a label, by label."""
        return dict(self.options.label_event_rules) if self.sets_label is None else {}

    @property
    def split_column(self) -> str | None:
        """The column that names each row's split."""
        return self.options.split_column if self.sets_label is None else None

    @property
    def stored_labels(self) -> tuple[str, ...]:
        """Labels that are columns of the log."""
        return tuple(name for name in self.options.resolved_labels if name not in self.computed)

    @property
    def stored_context(self) -> tuple[SideFeature, ...]:
        """Context features that are columns of the log."""
        return self.context if self.sets_label is None else ()

    @property
    def stored_statistics(self) -> tuple[str, ...]:
        """Statistics that are columns of the log but no labels."""
        return self.options.column_statistics if self.sets_label is None else ()

    @property
    def weight(self) -> str | None:
        """The column with the weight of each candidate."""
        return self.options.weight_column if self.sets_label is None else None

    @property
    def position(self) -> str | None:
        """The column with the position of each candidate."""
        return self.options.position_column if self.sets_label is None else None

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns with a number of 0 or more for each candidate: weight and position."""
        return tuple(name for name in (self.weight, self.position) if name is not None)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression that is evaluated, in order."""
        rule = self.options.behavior
        rules = (rule,) if isinstance(rule, Expression) else ()
        labels = (*self.derived.values(), *self.label_events.values())
        return (*labels, *rules, *self.options.behavior_type_rules)

    @property
    def computed(self) -> tuple[str, ...]:
        """Labels that expressions may read although the log has no such column."""
        if self.sets_label is not None:
            return self.options.resolved_labels
        return (*self.derived, *self.options.attributed)

    @property
    def expression_columns(self) -> tuple[str, ...]:
        """Columns of the log that an expression reads."""
        names = {name for expression in self.expressions for name in expression.columns}
        return tuple(sorted(names - set(self.computed)))

    @property
    def read(self) -> tuple[str, ...]:
        """Every column of the log that is read, in order of names."""
        names = {"user_id", "item_id", *self.stored_labels, *self.stored_statistics}
        names |= {feature.name for feature in self.stored_context}
        names |= set(self.expression_columns)
        names |= set(self.numbers)
        names |= {"timestamp"} if self.has_timestamp else set()
        names |= {REQUEST_ID} if self.has_request_id else set()
        names |= {self.split_column} if self.split_column is not None else set()
        return tuple(sorted(names))
