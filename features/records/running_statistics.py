"""Running statistics: counts and sums of a user's and an item's events before a request.

They are raw, so that a serving system can update them by addition alone; the model smooths them.
With S statistics, each a label or a numeric column of events:

| feature | shape | columns |
|---|---|---|
| `candidate_running_statistics` | `[R, C, 1 + S]` | count of events, sum of each statistic |
| `context_running_statistics` | `[R, 2 + 2 S]` | of the user; then residual weight and residuals |

The residual tells how far a user's events are from other users' events with the same items. For an
event whose item had n events strictly before, with the mean m of a statistic, `w = n / (n + 10)`
is added to the weight and `w (value - m)` to the residual.

`history_residual`, `[R, L]` int64, is the residual of single events: for each behavior that of the
first statistic, as a code like a similarity's, see `residual_codes`.
"""

import numpy as np

from features.arrays import Array
from features.schema import SideFeature

NAME = "running_statistics"

RESIDUAL_STRENGTH = 10.0
"""The number of an item's events at which its mean has half the weight."""


_UNKNOWN = 0


def residual_codes(count: Array, total: Array, value: Array) -> Array:
    """Returns the residuals of events as codes from 0 to 255.

    The code is `1 + round((r + 1) * 127)` for the residual r clipped to [-1, 1], which suits
    statistics of 0 and 1; it is 0 if the item had no event before.

    Args:
      count: `[N]` number of the item's events strictly before the event.
      total: `[N]` sum of the statistic over these.
      value: `[N]` the event's value of the statistic.

    Returns:
      `[N]` int64.

    >>> residual_codes(np.array([30, 30, 0]), np.array([15, 15, 0]), np.array([1, 0, 1]))
    array([176,  80,   0])
    """
    mean = total / np.maximum(count, 1)
    residual = count / (count + RESIDUAL_STRENGTH) * (value - mean)
    codes = 1 + np.rint((np.clip(residual, -1, 1) + 1) * 127).astype(np.int64)
    return np.where(count > 0, codes, _UNKNOWN)


def item_feature(statistics: tuple[str, ...]) -> SideFeature:
    """Returns the candidates' feature."""
    return SideFeature(NAME, "running", 1 + len(statistics), statistics)


def context_feature(statistics: tuple[str, ...]) -> SideFeature:
    """Returns the request's feature."""
    return SideFeature(NAME, "running", 2 + 2 * len(statistics), statistics)


def columns(feature: SideFeature) -> tuple[str, ...]:
    """Returns the names of a feature's values, in order.

    >>> columns(context_feature(("liked",)))
    ('count', 'sum_liked', 'residual_weight', 'residual_liked')
    """
    own = ("count", *(f"sum_{name}" for name in feature.statistics))
    if feature.width == len(own):
        return own
    return (*own, "residual_weight", *(f"residual_{name}" for name in feature.statistics))
