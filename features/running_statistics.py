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
"""

from features.schema import SideFeature

NAME = "running_statistics"

RESIDUAL_STRENGTH = 10.0
"""Events of an item that its mean needs for half the weight."""


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
