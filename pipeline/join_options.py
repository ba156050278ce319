"""What a user asks of the join."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.schema import STRICT, Name
from pipeline import expressions, splits

Fraction = Annotated[float, Field(ge=0, le=1)]

ALL_EVENTS = "all"
"""The behavior rule that every event passes."""

DEFAULT_LABEL = "click"
DEFAULT_SPLIT_FRACTIONS = (0.7, 0.1, 0.2)


@dataclass(frozen=True, config=STRICT)
class JoinOptions:
    """The join's inputs and parameters; each field is a flag of `pipeline.build_examples`.

    Use `from_dict` to get `UserInputError` for values that are not valid.

    Attributes:
      events: the behavior log, a folder of Parquet files or one file.
      output: the folder to publish; its parent must be writable.
      embeddings: an embedding set's folder or file by modality.
      items: item side features, Parquet with `item_id`.
      users: user side features, Parquet with `user_id`.
      labels: label columns; by default those of `derive_label`, else `click`.
      derive_label: labels computed from the log, `name = expression`.
      behavior_rule: an expression; events that pass become behaviors. `all` for every event.
      behavior_type: an expression; behaviors that pass have type 1, the others 0.
      timestamp_unit: of the log's `timestamp`, and of the numbers in `splits`.
      history_length: the most behaviors of a request (L).
      behavior_delay: seconds until a behavior is known online; younger ones are not used.
      splits: `train:..T1,validation:T1..T2,test:T2..` with numbers in `timestamp_unit` or UTC
        dates (2024-05-31); T1 belongs to the later split.
      split_fractions: of the rows by time: train, validation, test. Default 0.7, 0.1, 0.2.
      split_by: `global` cuts at one time for all users, `user` by position within each user.
      context: columns of the log that become context features, `name[:kind[:width]]`.
      item_features: columns of `items`, `name[:kind[:width]]`; by default all that fit.
      user_features: columns of `users`, likewise.
      candidate_embeddings: modalities whose quantised candidate vectors go into the record; by
        default all.
      max_candidates: requests with more are cut into several records.
      partitions: users are spread over so many; 0 chooses by the size of the log.
      max_bad_fraction: the largest share of quarantined rows, of the log and of each
        embedding set, with which a data set is published.
    """

    events: str
    output: str
    embeddings: dict[Name, str] = Field(default_factory=dict)
    items: str | None = None
    users: str | None = None
    labels: tuple[Name, ...] = ()
    derive_label: tuple[str, ...] = ()
    behavior_rule: str = "click == 1"
    behavior_type: str | None = None
    timestamp_unit: Literal["s", "ms", "us"] = "s"
    history_length: PositiveInt = 50
    behavior_delay: NonNegativeInt = 0
    splits: str | None = None
    split_fractions: tuple[Fraction, Fraction, Fraction] | None = None
    split_by: Literal["global", "user"] = "global"
    context: tuple[str, ...] = ()
    item_features: tuple[str, ...] | None = None
    user_features: tuple[str, ...] | None = None
    candidate_embeddings: tuple[Name, ...] | None = None
    max_candidates: PositiveInt = 128
    partitions: NonNegativeInt = 0
    max_bad_fraction: Fraction = 0.01

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
        for text in self.derive_label:
            expressions.parse_assignment(text)
        if self.behavior_rule != ALL_EVENTS:
            expressions.parse(self.behavior_rule)
        if self.behavior_type is not None:
            expressions.parse(self.behavior_type)
        if self.splits is not None and self.split_fractions is not None:
            raise ValueError("give splits or split_fractions, not both.")
        if self.splits is not None:
            if self.split_by == "user":
                raise ValueError("split_by user takes split_fractions, not splits.")
            splits.parse_ranges(self.splits, self.timestamp_unit)
        if abs(sum(self.resolved_split_fractions) - 1) > 1e-6:
            raise ValueError(f"split_fractions must add up to 1, received {self.split_fractions}.")
        unknown = set(self.candidate_embeddings or ()) - set(self.embeddings)
        if unknown:
            raise ValueError(
                f"candidate_embeddings names {sorted(unknown)}, but embeddings has "
                f"{sorted(self.embeddings)}."
            )
        return self

    @property
    def derived(self) -> tuple[tuple[str, expressions.Expression], ...]:
        """The derived labels, parsed."""
        return tuple(expressions.parse_assignment(text) for text in self.derive_label)

    @property
    def resolved_labels(self) -> tuple[str, ...]:
        """The labels, with the default filled in."""
        return self.labels or tuple(name for name, _ in self.derived) or (DEFAULT_LABEL,)

    @property
    def resolved_split_fractions(self) -> tuple[float, float, float]:
        """The fractions, with the default filled in."""
        return self.split_fractions or DEFAULT_SPLIT_FRACTIONS
