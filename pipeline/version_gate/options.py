"""What the gate compares, and the limits that a version must keep."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from features.schema import STRICT

Metric = Literal["auc", "gauc", "ne", "calibration"]

METRICS: tuple[Metric, ...] = ("auc", "gauc", "ne", "calibration")

Loss = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
_Band = Annotated[float, Field(ge=1)]


def _words(value: Any) -> Any:
    """Returns the words of a text with commas, as a flag gives them; anything else as it is."""
    return tuple(value.split(",")) if isinstance(value, str) else value


_Metrics = Annotated[tuple[Metric, ...], Field(min_length=1), BeforeValidator(_words)]


@dataclass(frozen=True, config=STRICT)
class GateLimits:
    """What a version must keep, for each label that it predicts.

    A loss is by how much AUC or GAUC is below the champion's, or NE above it. A certain loss is
    its lower bound by a paired bootstrap over users. The bounds are so low that of versions as
    good as the champion one in 20 is refused for any of its many figures (Bonferroni). Distances
    from 1 of calibrations are ratios: 0.8 and 1.25 are equally far. A tie is no loss.

    Attributes:
      certain_loss: a certain loss above this is refused.
      loss: a measured loss above this is refused, certain or not.
      slice_certain_loss: the same as `certain_loss`, in a slice.
      calibration_band: largest ratio of predicted and observed positives, either way. It is judged
        by the interval, and not where the champion is as far from 1 or farther.
      calibration_loss: how much farther from 1 than the champion's a calibration may be.
      slice_calibration_loss: the same, in a slice, where it is farther for certain.
      min_auc: the least AUC, and GAUC. As `calibration_band`, by the interval, and not where the
        champion is as low.
      max_ne: the largest NE. As `min_auc`.
      min_users: users to compare on; fewer are refused.
      min_positives: positives, and negatives, to compare on; fewer are refused.
      min_slice_users: users of a slice; with fewer it is shown and does not judge.
      min_slice_positives: positives, and negatives, of a slice; likewise.
      metrics: what judges. A log with one candidate per user has no GAUC: leave it out there.
    """

    certain_loss: Loss = 0.001
    loss: Loss = 0.02
    slice_certain_loss: Loss = 0.005
    calibration_band: _Band = 1.25
    calibration_loss: Loss = 0.05
    slice_calibration_loss: Loss = 0.15
    min_auc: Annotated[float, Field(ge=0, le=1)] = 0.5
    max_ne: Loss = 1.0
    min_users: Count = 100
    min_positives: Count = 100
    min_slice_users: Count = 50
    min_slice_positives: Count = 50
    metrics: _Metrics = METRICS


@dataclass(frozen=True, config=STRICT)
class GateOptions:
    """A gate: two versions, the records on which they are compared, and the limits.

    Attributes:
      export_dir: the model's versions; the record is written there.
      examples: the data set.
      version: the challenger; None for the newest intact one.
      champion: the version to compare with; None for the one labeled `stable`, and for none where
        no version is.
      part: the only part of the data set to score; None for all of it.
      split: such as `test`; None for `test`, or `validation` where no record is in `test`.
      limits: what the challenger must keep.
      resamples: draws of the bootstrap.
      max_users: users to compare on at most; of more, as many are drawn.
    """

    export_dir: str
    examples: str
    version: int | None = None
    champion: int | None = None
    part: str | None = None
    split: str | None = None
    limits: GateLimits = Field(default_factory=GateLimits)
    resamples: Annotated[int, Field(ge=20)] = 300
    max_users: Count = 50_000
