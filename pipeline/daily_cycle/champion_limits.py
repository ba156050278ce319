"""What a new part may do to the figures of the version that serves."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from features.schema import STRICT


@dataclass(frozen=True, config=STRICT)
class ChampionLimits:
    """What a new part may do to the figures of the version that serves.

    Limits are judged by 95% intervals over users: a figure is beyond one where its whole interval
    is.

    Attributes:
      auc_fall: by how much AUC may be below that of the version's own gate.
      calibration_band: largest ratio of predicted and observed positives, either way.
      slice_calibration_band: the same, in a slice: by a value of a categorical feature, by history
        length, by known similarity.
      min_slice_users: users of a slice; with fewer it does not judge.
      min_slice_expected: positives that the version expects in a slice, or that are there; with
        fewer it does not judge.
      resamples: draws of the bootstrap.
    """

    auc_fall: Annotated[float, Field(ge=0, le=1)] = 0.05
    calibration_band: Annotated[float, Field(ge=1)] = 1.5
    slice_calibration_band: Annotated[float, Field(ge=1)] = 2.0
    min_slice_users: Annotated[int, Field(ge=1)] = 50
    min_slice_expected: Annotated[int, Field(ge=1)] = 50
    resamples: Annotated[int, Field(ge=20)] = 200
