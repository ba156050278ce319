"""The options of the join, validated together, and the values that follow from them alone."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.ids import coverage
from features.records import tfrecord
from features.schema import STRICT, Downsampling, Name
from features.tables import expressions
from features.tables.expressions import Expression
from features.tables.options import TableOptions
from pipeline.join.rules import downsampling_rule, negatives_rule, option_checks, splits
from pipeline.join.rules.feature_names import FeatureNames, column_name
from pipeline.join.rules.negatives_rule import NegativesRule
from pipeline.join.rules.option_types import ColumnName, Fraction, Locations, PartName, Texts
from pipeline.join.rules.splits import Split


@contextlib.contextmanager
def _named(option: str) -> Iterator[None]:
    """Puts an option's name before what is wrong with its text."""
    try:
        yield
    except UserInputError as error:
        raise UserInputError(f"{option}: {error}") from error


ALL_EVENTS = "all"
"""The behavior rule that every event passes."""

NO_EVENTS = "none"
"""The behavior rule that no event passes: behaviors are those of `histories` alone."""

DEFAULT_WINDOW = 86_400
"""Seconds after a candidate was shown within which a label event counts."""

DEFAULT_LABEL = "click"
DEFAULT_BEHAVIOR_RULE = "click == 1"
DEFAULT_SPLIT_FRACTIONS = (0.7, 0.1, 0.2)

_ABSENT_BY_DEFAULT = (
    *("statistics", "column", "text_column", "filter", "delimiter", "null_value", "null_label"),
    *("weight_column", "position_column", "downsample_negatives", "wait_for_labels"),
    "compression",
)
"""Data sets from before there were these options are the same as ones without."""

_INPUTS = ("events", "output", "embeddings", "items", "users", "histories", "label_logs", "part")
_WITHOUT_EFFECT = ("embedding_strategy", "broadcast_limit_mib", "new_version", "min_coverage")


@dataclass(frozen=True, config=STRICT)
class JoinOptions:
    """The join's inputs and parameters; each field is a flag of `pipeline.build_examples`.

    Use `from_dict` to get `UserInputError` for values that are not valid.

    Attributes:
      events: the behavior log: folders, files or globs.
      output: the folder to publish; its parent must be writable.
      embeddings: embedding sets by modality: folders, files or globs.
      items: item side features, with `item_id`.
      users: user side features, with `user_id`.
      column: columns that have another name in the files, `NAME=COLUMN` or `TABLE.NAME=COLUMN`.
      text_column: columns that are read as text even where they look like numbers.
      filter: an expression that rows of the logs have to pass, also over `KEY=VALUE` folders.
      delimiter: between the values of a line of CSV.
      null_value: texts that are no value in CSV.
      null_label: what a label that is null counts as; None quarantines such rows.
      labels: label columns; by default those of `derive_label`, else `click`.
      derive_label: labels computed from the log, `name = expression`.
      label_events: rows of the log that are no candidates but set a label of one,
        `name = expression`; for instance `click = event == "click"`.
      label_logs: logs of their own whose rows set a label, a folder by label.
      attribution_window: seconds by label within which such an event counts; a day by default.
      behavior_rule: an expression; events that pass become behaviors. `all` for every event,
        `none` for no event.
      behavior_type: expressions. A behavior has type k if the k-th, counted from 1, is the last
        that it passes, and type 0 if it passes none.
      histories: given behaviors, with `user_id` and a list `item_id`, oldest first, and
        optionally lists `timestamp` and `type`.
      history_types: how many values `type` takes in `histories`; a type is one byte.
      timestamp_unit: of the log's `timestamp`, and of the numbers in `splits`.
      history_length: the most behaviors of a request (L).
      behavior_delay: seconds until a behavior is known online; younger ones are not used.
      splits: `train:..T1,validation:T1..T2,test:T2..` with numbers in `timestamp_unit` or UTC
        dates (2024-05-31); T1 belongs to the later split.
      split_fractions: of the rows by time: train, validation, test. Default 0.7, 0.1, 0.2.
      split_column: a column of the log that names each row's split.
      split_by: `global` cuts at one time for all users, `user` by position within each user.
      context: columns of the log that become context features, `name[:kind[:width]]`.
      item_features: columns of `items`, `name[:kind[:width]]`; by default all that fit.
      user_features: columns of `users`, likewise.
      candidate_embeddings: modalities whose quantized candidate vectors go into the record; by
        default all.
      statistics: labels and numeric columns of the log whose running sums, of user and item just
        before the request, are recorded. Their counts of events are recorded too; see
        `features.records.running_statistics`.
      weight_column: a numeric column of the log, finite and at least 0: each candidate's weight in
        training's loss.
      position_column: a numeric column of the log, finite and at least 0: where each candidate was
        shown. Training reads it, to keep its effect apart from preference.
      negatives: `popularity:K` or `uniform:K` adds K candidates that were not shown for each
        event, with labels of 0; popularity is that of the days before.
      downsample_negatives: `LABEL=SHARE` leaves most negatives of a label out of the train split,
        and keeps this share. The model knows it, and predicts probabilities of the whole log.
      max_candidates: requests with more are cut into several records.
      partitions: users are spread over so many; 0 chooses by the size of the log.
      max_bad_fraction: the largest share of quarantined rows with which a data set is published;
        of the log, and of each embedding set.
      min_coverage: the least share with which a data set is published: of candidates whose item
        has a vector, by modality; of the vocabulary's items with a row of `items`.
      part: name of the part that this log becomes, such as 2026-05-02, of a data set that grows;
        histories and statistics reach back into the parts before it.
      wait_for_labels: leave requests whose attribution windows are open to the next part. That one
        knows the events that set their labels.
      compression: of the shards; `gzip` adds `.gz` to their names, by which readers know them.
      new_version: where `output` holds a data set made otherwise, publish `<output>-v2` or the
        next that is free, rather than refuse.
      embedding_strategy: how vectors reach the workers; `auto` decides by size. The bytes of the
        output are the same.
      broadcast_limit_mib: `auto` broadcasts quantized embedding sets up to this size.
    """

    events: Locations
    output: str
    embeddings: dict[Name, Locations] = Field(default_factory=dict)
    items: Texts = ()
    users: Texts = ()
    column: Texts = ()
    text_column: tuple[ColumnName, ...] = ()
    filter: str | None = None
    delimiter: str = ","
    null_value: Texts = TableOptions().null_values
    null_label: Literal[0, 1] | None = None
    labels: tuple[ColumnName, ...] = ()
    derive_label: tuple[str, ...] = ()
    label_events: tuple[str, ...] = ()
    label_logs: dict[ColumnName, Annotated[Texts, Field(min_length=1)]] = Field(
        default_factory=dict
    )
    attribution_window: dict[ColumnName, NonNegativeInt] = Field(default_factory=dict)
    behavior_rule: str = DEFAULT_BEHAVIOR_RULE
    behavior_type: Annotated[Texts, Field(max_length=127)] = ()
    histories: Texts = ()
    history_types: Annotated[int, Field(ge=1, le=128)] = 1
    timestamp_unit: Literal["s", "ms", "us", "ns"] = "s"
    history_length: PositiveInt = 50
    behavior_delay: NonNegativeInt = 0
    splits: str | None = None
    split_fractions: tuple[Fraction, Fraction, Fraction] | None = None
    split_column: ColumnName | None = None
    split_by: Literal["global", "user"] = "global"
    context: tuple[str, ...] = ()
    item_features: tuple[str, ...] | None = None
    user_features: tuple[str, ...] | None = None
    candidate_embeddings: tuple[Name, ...] | None = None
    statistics: tuple[ColumnName, ...] = ()
    weight_column: ColumnName | None = None
    position_column: ColumnName | None = None
    negatives: str | None = None
    downsample_negatives: str | None = None
    max_candidates: PositiveInt = 128
    partitions: NonNegativeInt = 0
    max_bad_fraction: Fraction = 0.01
    min_coverage: Fraction = coverage.DEFAULT
    part: PartName | None = None
    wait_for_labels: bool = False
    compression: Literal["none", "gzip"] = "none"
    new_version: bool = False
    embedding_strategy: Literal["auto", "broadcast", "shuffle"] = "auto"
    broadcast_limit_mib: PositiveInt = 2048

    @functools.cached_property
    def tables(self) -> TableOptions:
        """How the tables are read."""
        return TableOptions(
            columns=self.column,
            text_columns=self.text_column,
            filter=self.filter,
            delimiter=self.delimiter,
            null_values=self.null_value,
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "JoinOptions":
        """Validates options.

        Raises:
          UserInputError: names every value that is unknown, missing or not valid.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'options'}: {problem['msg']} "
                f"(received {problem['input']!r})"
                if problem["loc"]
                else problem["msg"].removeprefix("Value error, ")
                for problem in error.errors()
            )
            raise UserInputError(f"Options of the join: {problems}") from error

    @model_validator(mode="after")
    def _fit_together(self) -> "JoinOptions":
        # Parsing raises where a text is not valid.
        _ = self.derived, self.label_event_rules, self.behavior, self.behavior_type_rules
        _ = self.negatives_rule, self.split_ranges
        option_checks.check_labels(
            [*(name for name, _ in (*self.derived, *self.label_event_rules)), *self.label_logs],
            self.attributed,
            self.resolved_labels,
            self.attribution_window,
        )
        ways = ("splits", "split_fractions", "split_column")
        given = [name for name in ways if getattr(self, name) is not None]
        option_checks.check_splits(given, self.split_by, self.resolved_split_fractions)
        if self.downsampling is not None:
            option_checks.check_downsampling(
                self.downsampling, self.resolved_labels, self.negatives, self.split_names
            )
        if self.part is not None:
            option_checks.check_part(
                self.splits is not None,
                self.new_version,
                bool(self.histories),
            )
        if self.wait_for_labels:
            option_checks.check_waiting(self.part, self.attributed)
        if len(set(self.statistics)) != len(self.statistics):
            raise ValueError(f"statistics must be distinct, received {list(self.statistics)}.")
        self.feature_names.check()
        unknown = set(self.candidate_embeddings or ()) - set(self.embeddings)
        if unknown:
            raise ValueError(
                f"candidate_embeddings names {sorted(unknown)}, but embeddings has "
                f"{sorted(self.embeddings)}."
            )
        return self

    @functools.cached_property
    def derived(self) -> tuple[tuple[str, Expression], ...]:
        """The derived labels and their expressions."""
        with _named("derive_label"):
            return tuple(expressions.parse_assignment(text) for text in self.derive_label)

    @functools.cached_property
    def label_event_rules(self) -> tuple[tuple[str, Expression], ...]:
        """Labels that rows of the log set, and which rows set them."""
        with _named("label_events"):
            return tuple(expressions.parse_assignment(text) for text in self.label_events)

    @functools.cached_property
    def behavior(self) -> Expression | bool:
        """Which events become behaviors; True for all, False for none."""
        constants = {ALL_EVENTS: True, NO_EVENTS: False}
        rule = self.behavior_rule
        with _named("behavior_rule"):
            return constants[rule] if rule in constants else expressions.parse(rule)

    @property
    def has_default_behavior_rule(self) -> bool:
        """Whether the behavior rule is the default one, given or not."""
        return self.behavior_rule == DEFAULT_BEHAVIOR_RULE

    @functools.cached_property
    def behavior_type_rules(self) -> tuple[Expression, ...]:
        """The parsed `behavior_type`; the rule at index k gives type k + 1."""
        with _named("behavior_type"):
            return tuple(expressions.parse(text) for text in self.behavior_type)

    @functools.cached_property
    def negatives_rule(self) -> NegativesRule | None:
        """How negatives are drawn, None for none."""
        return None if self.negatives is None else negatives_rule.parse(self.negatives)

    @functools.cached_property
    def downsampling(self) -> Downsampling | None:
        """Which negatives are left out of the train split, None for none."""
        text = self.downsample_negatives
        return None if text is None else downsampling_rule.parse(text)

    @functools.cached_property
    def split_ranges(self) -> tuple[Split, ...] | None:
        """The explicit splits, None where fractions or a column decide."""
        if self.splits is None:
            return None
        return splits.parse_ranges(self.splits, self.timestamp_unit)

    @property
    def split_names(self) -> tuple[str, ...]:
        """The names of the splits, in order."""
        if self.split_ranges is None:
            return splits.FRACTION_SPLITS
        return tuple(split.name for split in self.split_ranges)

    @property
    def resolved_split_fractions(self) -> tuple[float, float, float]:
        """The fractions, with the default filled in."""
        return self.split_fractions or DEFAULT_SPLIT_FRACTIONS

    @property
    def attributed(self) -> tuple[str, ...]:
        """Labels that events of their own set."""
        return (*(name for name, _ in self.label_event_rules), *self.label_logs)

    @property
    def resolved_labels(self) -> tuple[str, ...]:
        """The labels, with the default filled in."""
        defined = (*(name for name, _ in self.derived), *self.attributed)
        return self.labels or defined or (DEFAULT_LABEL,)

    @property
    def feature_names(self) -> FeatureNames:
        """The names that the options give; columns of items and users where they are chosen."""
        return FeatureNames(
            self.resolved_labels,
            tuple(self.embeddings),
            bool(self.statistics),
            has_weights=bool(self.weight_column or self.downsample_negatives),
            has_positions=bool(self.position_column),
            items=tuple(map(column_name, self.item_features or ())),
            context=tuple(map(column_name, self.context)),
            users=tuple(map(column_name, self.user_features or ())),
        )

    @property
    def shard_extension(self) -> str:
        """What the names of shards end in, after a dot."""
        return "tfrecord" + (tfrecord.GZIP_SUFFIX if self.compression == "gzip" else "")

    @property
    def column_statistics(self) -> tuple[str, ...]:
        """Statistics of numeric columns of the log, which are no labels."""
        return tuple(name for name in self.statistics if name not in self.resolved_labels)

    @property
    def late_statistics(self) -> tuple[str, ...]:
        """Statistics of labels that become known by events of their own."""
        return tuple(name for name in self.statistics if name in self.attributed)

    @property
    def delay(self) -> int:
        """Microseconds until a behavior is known online."""
        return self.behavior_delay * 1_000_000

    @property
    def behavior_types(self) -> int:
        """The number of types of behaviors."""
        return max(1 + len(self.behavior_type), self.history_types if self.histories else 1)

    @property
    def longest_window(self) -> int:
        """The longest attribution window of a label in `attributed`, microseconds."""
        return max(map(self.window, self.attributed), default=0)

    @property
    def carries_sums(self) -> bool:
        """Whether parts carry the sums of users and items."""
        return self.part is not None and bool(self.statistics)

    @property
    def carries_late_sums(self) -> bool:
        """Whether parts carry sums of labels that become known by events of their own."""
        return self.part is not None and bool(self.late_statistics)

    @property
    def carries_candidates(self) -> bool:
        """Whether this part leaves the next one candidates whose attribution windows are open.

        Those that wait are not written yet; of others the labels count in running statistics.
        """
        return self.part is not None and (self.wait_for_labels or self.carries_late_sums)

    def window(self, label: str) -> int:
        """Returns the attribution window of a label in `attributed`, microseconds."""
        return self.attribution_window.get(label, DEFAULT_WINDOW) * 1_000_000

    def manifest_parameters(self, partitions: int) -> dict[str, Any]:
        """Returns what, besides the inputs, determines the output's bytes; for the manifest.

        Args:
          partitions: as the planner chose.
        """
        values = TypeAdapter(JoinOptions).dump_python(self, mode="json")
        for name in (*_INPUTS, *_WITHOUT_EFFECT):
            del values[name]
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name in _ABSENT_BY_DEFAULT:
            if getattr(self, name) == defaults[name]:
                del values[name]
        values["partitions"] = partitions
        values["labels"] = list(self.resolved_labels)
        if self.splits is None and self.split_column is None:
            values["split_fractions"] = list(self.resolved_split_fractions)
        return values
