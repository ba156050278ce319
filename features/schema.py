"""The contract between the join, the model and serving: what one training record holds."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    ConfigDict,
    Field,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.id_kinds import KEY, IdKinds

STRICT = ConfigDict(extra="forbid")
"""The configuration of every validated dataclass here: an unknown key is an error."""

USER_ID = "user_id"
REQUEST_ID = "request_id"
TIMESTAMP = "timestamp"

SCALARS = (USER_ID, REQUEST_ID, TIMESTAMP)
"""Features of a record with one integer."""

CONTEXT_PREFIX = "context_"

CANDIDATE_ITEM_ID = "candidate_item_id"
CANDIDATE_MASK = "candidate_mask"
"""False for padding; made when records are parsed, like `HISTORY_MASK`."""

CANDIDATE_SAMPLE_WEIGHT = "candidate_sample_weight"
"""The weight of each candidate in the loss, in records of `ExampleSchema.weighted`."""

CANDIDATE_POSITION = "candidate_position"
"""Where each candidate was shown, from 0, in records of `ExampleSchema.positioned`."""

HISTORY_ITEM_ID = "history_item_id"
HISTORY_MASK = "history_mask"
HISTORY_TIME_GAP = "history_time_gap"
HISTORY_TYPE = "history_type"

HISTORY = (HISTORY_ITEM_ID, HISTORY_TIME_GAP, HISTORY_TYPE)
"""Features of a record with an integer for each behavior."""

HISTORY_RESIDUAL = "history_residual"
"""One more such feature, in records with running statistics (`records.running_statistics`)."""


class ItemAxis(NamedTuple):
    """An axis of a request along which items are listed: candidates (C) or behaviors (L).

    Attributes:
      prefix: the start of the name of every feature along this axis.
      item_id: name of the feature with the items' ids.
      mask: name of the mask, which is False for padding.
    """

    prefix: str
    item_id: str
    mask: str

    def feature(self, name: str) -> str:
        """Names a feature along this axis."""
        return f"{self.prefix}{name}"

    def embedding(self, modality: str) -> str:
        """Names the items' quantized vectors, int8 `[c or l, M]`; of behaviors in no record."""
        return self.feature(f"embedding_{modality}")


CANDIDATES = ItemAxis("candidate_", CANDIDATE_ITEM_ID, CANDIDATE_MASK)
BEHAVIORS = ItemAxis("history_", HISTORY_ITEM_ID, HISTORY_MASK)
ITEM_AXES = (CANDIDATES, BEHAVIORS)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def similarity_feature(modality: str) -> str:
    """Names the similarity codes of a modality, uint8 `[c, l]` in row-major order."""
    return f"similarity_{modality}"


def candidate_embedding_feature(modality: str) -> str:
    """Names the quantized vectors of the candidates, int8 `[c, M]`."""
    return CANDIDATES.embedding(modality)


def candidate_feature(name: str) -> str:
    """Names a side feature of the candidates, `[c, K]`."""
    return CANDIDATES.feature(name)


def context_feature(name: str) -> str:
    """Names a side feature of the request, `[K]`."""
    return f"{CONTEXT_PREFIX}{name}"


def own_features(modalities: Iterable[str]) -> list[str]:
    """Names every feature of a parsed record that is neither a label nor a side feature."""
    content = (similarity_feature, candidate_embedding_feature)
    return [
        *SCALARS,
        *(*HISTORY, HISTORY_RESIDUAL, HISTORY_MASK),
        *(CANDIDATE_ITEM_ID, CANDIDATE_MASK),
        *(name(modality) for modality in modalities for name in content),
    ]


@dataclass(frozen=True, config=STRICT)
class Modality:
    """One embedding set as the record and the model see it.

    Attributes:
      name: such as `text`; the record's feature is `similarity_<name>`.
      dimension: embedding width M.
      candidate_embedding: whether records carry the candidates' quantized vectors, which the
        head's multimodal projection needs in training.
    """

    name: Name
    dimension: PositiveInt
    candidate_embedding: bool = True


@dataclass(frozen=True, config=STRICT)
class SideFeature:
    """A side feature of an item, or of the request (user columns and context).

    Attributes:
      name: the source column's.
      kind: `categorical` values are int64, strings by fingerprint, 0 is padding; `numeric`
        values are float32, a missing one is 0; `running` values are float32 counts and sums,
        see `features.records.running_statistics`.
      width: K, values per item or request; shorter lists are padded with 0, longer ones cut.
      statistics: what a `running` feature sums; empty for other kinds.
    """

    name: Name
    kind: Literal["categorical", "numeric", "running"]
    width: PositiveInt = 1
    statistics: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _statistics_fit(self) -> "SideFeature":
        own = 1 + len(self.statistics)
        if bool(self.statistics) != (self.kind == "running"):
            raise ValueError(
                f"{self.name!r} is {self.kind} with statistics {list(self.statistics)}: a running "
                "feature has statistics, and no other has."
            )
        if self.statistics and self.width not in (own, 2 * own):
            raise ValueError(
                f"{self.name!r} has {own - 1} statistics, so its width is {own} (of an item) or "
                f"{2 * own} (of a user), received {self.width}."
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Downsampling:
    """How negatives of the train split were left out.

    Attributes:
      label: the label whose negatives were left out; nothing else decided.
      rate: the share of them that records hold.
    """

    label: Name
    rate: Annotated[float, Field(gt=0, lt=1)]

    @property
    def logit_shift(self) -> float:
        """What turns a logit of the sample into one of the whole log, `log(rate)`.

        A sample that holds the share `rate` of the negatives has odds `1 / rate` times the
        log's (He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD
        2014, section 6.3).
        """
        return math.log(self.rate)


@dataclass(frozen=True, config=STRICT)
class ExampleSchema:
    """What one training record holds: one request of one user at one moment.

    Shapes: R requests, C candidates, L behaviors, M multimodal width, K values.

    Attributes:
      labels: label columns, each 0 or 1 for every candidate; the first is the primary one.
      modalities: embedding sets whose similarity codes the record carries.
      history_length: L, the most behaviors that a record holds.
      behavior_types: how many values `history_type` may take.
      item_features: side features of the candidates, `candidate_<name>` `[R, C, K]`.
      context_features: side features of the request, `context_<name>` `[R, K]`.
      downsampling: of the train split's negatives; None where records hold the whole log.
      weighted: whether records have a weight for each candidate, `CANDIDATE_SAMPLE_WEIGHT`.
      positioned: whether records have a position for each candidate, `CANDIDATE_POSITION`.
      version: the layout's; readers refuse any other.
      id_kinds: whether ids are integers or hashed strings. No part of equality and fingerprint:
        schemas from before say none. Jobs compare them by `id_kinds.check`.
    """

    labels: Annotated[tuple[Name, ...], Field(min_length=1)]
    modalities: tuple[Modality, ...]
    history_length: PositiveInt
    behavior_types: PositiveInt = 1
    item_features: tuple[SideFeature, ...] = ()
    context_features: tuple[SideFeature, ...] = ()
    downsampling: Downsampling | None = None
    weighted: bool = False
    positioned: bool = False
    version: Literal[1] = 1
    id_kinds: IdKinds = dataclasses.field(default=IdKinds(), compare=False)

    @field_validator("labels", "modalities", "item_features", "context_features")
    @classmethod
    def _names_are_distinct(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [getattr(element, "name", element) for element in value]
        if len(set(names)) != len(names):
            raise ValueError(f"names must be distinct, received {names}")
        return value

    @model_validator(mode="after")
    def _downsampling_fits(self) -> "ExampleSchema":
        if self.downsampling is not None and self.downsampling.label not in self.labels:
            raise ValueError(
                f"negatives of {self.downsampling.label!r} were left out, which is not among the "
                f"labels {list(self.labels)}"
            )
        return self

    @property
    def of_requests(self) -> "ExampleSchema":
        """The schema of what a request holds, without what concerns training alone."""
        return dataclasses.replace(self, downsampling=None, weighted=False, positioned=False)

    @property
    def candidate_floats(self) -> tuple[str, ...]:
        """The features with a float for each candidate: labels, weight and position if recorded."""
        weight = (CANDIDATE_SAMPLE_WEIGHT,) if self.weighted else ()
        return (*self.labels, *weight, *((CANDIDATE_POSITION,) if self.positioned else ()))

    @property
    def history(self) -> tuple[str, ...]:
        """The features with an integer for each behavior: `HISTORY`, residuals if recorded."""
        return (*HISTORY, HISTORY_RESIDUAL) if self.has_residuals else HISTORY

    @property
    def has_residuals(self) -> bool:
        """Whether records carry each behavior's residual, its distance from the item's mean."""
        return any(side.kind == "running" for side in self.item_features)

    def has_statistics_of(self, label: str) -> bool:
        """Returns whether records carry running sums of a label, of the item before a request."""
        return any(label in side.statistics for side in self.item_features)

    @property
    def modality_names(self) -> tuple[str, ...]:
        """The names of the modalities, in order."""
        return tuple(modality.name for modality in self.modalities)

    @property
    def primary_label(self) -> str:
        """The label that a model predicts by default."""
        return self.labels[0]

    def to_dict(self) -> dict[str, Any]:
        """Returns the schema as plain JSON values."""
        values: dict[str, Any] = TypeAdapter(ExampleSchema).dump_python(self, mode="json")
        for side in (*values["item_features"], *values["context_features"]):
            # Left out, as below, so that schemas without them keep their old fingerprint.
            if not side["statistics"]:
                del side["statistics"]
        for name in ("downsampling", "weighted", "positioned"):
            if not values[name]:
                del values[name]
        values[KEY] = self.id_kinds.to_dict()
        if not values[KEY]:
            del values[KEY]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ExampleSchema":
        """Reads what `to_dict` wrote.

        Raises:
          UserInputError: a key is unknown, missing or out of range.
        """
        try:
            return TypeAdapter(cls).validate_python(dict(values))
        except ValidationError as error:
            raise UserInputError(
                f"The example schema is not valid; was it written by another version? {error}"
            ) from error

    def fingerprint(self) -> str:
        """Returns 16 hexadecimal digits that change with any field but `id_kinds`."""
        values = {name: value for name, value in self.to_dict().items() if name != KEY}
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
