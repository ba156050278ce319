"""Running statistics: what a user and an item had counted just before a request.

Raw counts and sums, so that who serves can keep them up to date by addition alone; the model
smooths them. With S statistics, each a label or a number of an event:

| feature | shape | columns |
|---|---|---|
| `candidate_running_statistics` | `[R, C, 1 + S]` | count of events, sum of each statistic |
| `context_running_statistics` | `[R, 2 + 2 S]` | of the user; then residual weight and residuals |

The residual tells how much more of a statistic a user's events have than others' events with the
same items. For an event whose item had n events strictly before, with the mean m of a statistic,
`w = n / (n + 10)` adds to the weight and `w (value - m)` to the residual.

The same of single events is `history_residual`, `[R, L]` int64: of each behavior the residual of
the first statistic as a code, like a similarity's, see `residual_codes`.
"""

import numpy as np

from features.schema import SideFeature

NAME = "running_statistics"

RESIDUAL_STRENGTH = 10.0
"""Events of an item that its mean needs for half the weight."""


_UNKNOWN = 0


def residual_codes(count: np.ndarray, total: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Returns how far events are from their items' means, as codes of 0 to 255.

    `1 + round((r + 1) * 127)` for the residual r cut to [-1, 1], so it suits statistics of 0 and
    1; 0 where the item had no event before.

    Args:
      count: `[N]` events of the item strictly before the event.
      total: `[N]` their sum of the statistic.
      value: `[N]` the event's own.

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
    """Returns what each of a feature's values is, in order.

    >>> columns(context_feature(("liked",)))
    ('count', 'sum_liked', 'residual_weight', 'residual_liked')
    """
    own = ("count", *(f"sum_{name}" for name in feature.statistics))
    if feature.width == len(own):
        return own
    return (*own, "residual_weight", *(f"residual_{name}" for name in feature.statistics))
