"""Settings of a simulated marketplace."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field, PositiveInt, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.schema import STRICT, Name

DAY = 86_400_000
"""Milliseconds."""

START = 1_704_067_200_000
"""When simulated time begins: 2024-01-01 UTC, in milliseconds."""

_LEAST_MILLISECONDS_PER_REQUEST = 4
_STREAMS = ("items", "users", "requests", "label_events", "maps", "embeddings", "drift")


@dataclass(frozen=True, config=STRICT)
class MarketplaceSettings:
    """Size and kind of a simulated log; each field is a flag of `pipeline.simulate`.

    Attributes:
      events: impressions, exactly.
      users: users who may send requests; their activity is skewed, some send none.
      items: items, those included that appear during the simulated time.
      candidates: the mean number of candidates per request; the numbers 1 to 2 C - 1 are equally
        likely.
      modalities: the embedding width M by modality.
      days: simulated days.
      seed: another seed gives another world and another log.
      label_events: `inline` for label columns in the impressions, `separate` for clicks and
        conversions as rows of their own that arrive later.
      cold_fraction: share of items that appear during the simulated time.
      missing_embeddings: share of items without an embedding, drawn for each modality.
      order: of a request's candidates: by `chance`, or by `price`, the dearest first, as in a shop
        that promotes them. The price has no effect on a click, the position has.
      position_effect: what a click's logit loses per doubling of the position, counted from 1.
      quality_turn: degrees per day by which items' qualities turn towards other, independent ones:
        those of two days correlate by the cosine. After 90 degrees nothing is as it was.
      content: how similarity moves a click: `interaction` by the gate of the id, `additive` for
        every item alike, `none` not at all.
    """

    events: PositiveInt = 1_000_000
    users: PositiveInt = 10_000
    items: PositiveInt = 50_000
    candidates: PositiveInt = 8
    modalities: dict[Name, PositiveInt] = Field(default_factory=lambda: {"text": 128, "image": 64})
    days: PositiveInt = 14
    seed: int = Field(default=0, ge=0)
    label_events: Literal["inline", "separate"] = "inline"
    cold_fraction: float = Field(default=0.1, ge=0, le=0.9)
    missing_embeddings: float = Field(default=0.02, ge=0, le=0.9)
    order: Literal["chance", "price"] = "chance"
    position_effect: float = Field(default=0.25, ge=0, le=10)
    quality_turn: float = Field(default=0.0, ge=0, le=90)
    content: Literal["interaction", "additive", "none"] = "interaction"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "MarketplaceSettings":
        """Validates settings.

        Raises:
          UserInputError: names every value that is not valid.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            problems = "; ".join(
                f"--{'.'.join(map(str, problem['loc']))}: {problem['msg']} "
                f"(received {problem['input']!r})"
                if problem["loc"]
                else problem["msg"].removeprefix("Value error, ")
                for problem in error.errors()
            )
            raise UserInputError(f"The marketplace cannot be simulated: {problems}.") from error

    @model_validator(mode="after")
    def _fit_together(self) -> "MarketplaceSettings":
        if self.warm_items < 4 * self.largest_request:
            raise ValueError(
                f"--items={self.items} with --cold_fraction={self.cold_fraction} leaves "
                f"{self.warm_items} items at the start, but requests of up to "
                f"{self.largest_request} distinct candidates want {4 * self.largest_request}. "
                "Use more items or fewer candidates"
            )
        room = self.days * DAY // _LEAST_MILLISECONDS_PER_REQUEST
        if self.events / self.candidates > room:
            needed = math.ceil(self.events / self.candidates / room * self.days)
            raise ValueError(
                f"--events={self.events} do not fit into --days={self.days}: each request has a "
                f"millisecond of its own. Use --days={needed} or more"
            )
        return self

    @property
    def largest_request(self) -> int:
        """The most candidates of a request."""
        return 2 * self.candidates - 1

    @property
    def warm_items(self) -> int:
        """Items that exist from the start."""
        return self.items - round(self.items * self.cold_fraction)

    def generator(self, stream: str, *position: int) -> np.random.Generator:
        """Returns an independent random stream, so that one part does not move another.

        Args:
          stream: what is drawn, one of a fixed list.
          position: for instance the number of a block; blocks can then be drawn in any order.
        """
        entropy = (self.seed, _STREAMS.index(stream), *position)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))


def parse_modalities(texts: Sequence[str]) -> dict[str, int]:
    """Parses `name:dimension` of each modality.

    Raises:
      UserInputError: a text is not of that form, or a name appears twice.
    """
    dimensions: dict[str, int] = {}
    for text in texts:
        name, separator, dimension = text.partition(":")
        if not separator or not dimension.isdecimal() or name in dimensions:
            raise UserInputError(
                f"--modalities {text!r} must be name:dimension, as in text:128,image:64, each "
                "name once."
            )
        dimensions[name] = int(dimension)
    return dimensions
