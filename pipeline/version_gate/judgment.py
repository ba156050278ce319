"""Why a version does not pass: each reason a sentence with its figure and the limit."""

import statistics
from collections.abc import Iterator, Sequence

from pipeline.version_gate.comparison import Figure, Scope, distance
from pipeline.version_gate.options import GateLimits

_TITLES = {"auc": "AUC", "gauc": "GAUC", "ne": "NE", "calibration": "calibration"}
_FALSE_REFUSALS = 0.05
"""Chance to refuse a version as good as the champion: half by all candidates, half by slices."""

_UNDEFINED = {
    "auc": "the candidates have one class",
    "gauc": "no user has positives and negatives",
    "ne": "the candidates have one class",
    "calibration": "there is no positive",
}


def reasons(scopes: Sequence[Scope], lost: Sequence[str], limits: GateLimits) -> list[str]:
    """Returns why the challenger does not pass, nothing if it does.

    Args:
      scopes: what `comparison.compare` returned.
      lost: labels that only the champion predicts.
      limits: what has to be kept.
    """
    found = [f"{label}: the champion predicts it, and the challenger does not" for label in lost]
    everywhere = [scope for scope in scopes if not scope.slicing]
    slices = [scope for scope in scopes if scope.slicing and judges(scope, limits)]
    bound = _deviations(everywhere, limits)
    for scope in everywhere:
        found += _too_few(scope, limits) or _overall(scope, limits, bound)
    bound = _deviations(slices, limits)
    for scope in slices:
        found += _losses(scope, limits, bound)
    return [f"{one}." for one in found]


def notes(scopes: Sequence[Scope], limits: GateLimits) -> list[str]:
    """Returns what was not judged, and why."""
    found = []
    for scope in scopes:
        if not scope.compared and not scope.slicing:
            found.append(f"{scope.title}: no champion predicts it, so nothing is compared.")
        elif scope.compared and scope.slicing and not judges(scope, limits):
            found.append(
                f"{scope.title}: does not judge, with {scope.users:,} users, "
                f"{scope.positives:,} positives and {scope.negatives:,} negatives; at least "
                f"{limits.min_slice_users:,} users and {limits.min_slice_positives:,} of each "
                "class would."
            )
    return found


def judges(scope: Scope, limits: GateLimits) -> bool:
    """Whether a scope decides: all candidates do, a slice with enough of them does."""
    if not scope.slicing:
        return True
    least = min(scope.positives, scope.negatives)
    return scope.compared and (
        scope.users >= limits.min_slice_users and least >= limits.min_slice_positives
    )


def _deviations(scopes: Sequence[Scope], limits: GateLimits) -> float:
    """Returns how many standard deviations a loss may be off, in any of the scopes' figures."""
    compared = sum(
        scope.figures[metric].loss is not None for scope in scopes for metric in limits.metrics
    )
    return statistics.NormalDist().inv_cdf(1 - _FALSE_REFUSALS / 2 / max(compared, 1))


def _too_few(scope: Scope, limits: GateLimits) -> list[str]:
    wanted = (
        ("users", scope.users, "min_users"),
        ("positives", scope.positives, "min_positives"),
        ("negatives", scope.negatives, "min_positives"),
    )
    return [
        f"{scope.title}: {count:,} {what} in the records, at least {getattr(limits, name):,} are "
        f"needed ({name})"
        for what, count, name in wanted
        if count < getattr(limits, name)
    ]


def _overall(scope: Scope, limits: GateLimits, bound: float) -> list[str]:
    found = [
        f"{scope.title}: {count:,} of {scope.candidates:,} scores of the {version} are no "
        "probabilities"
        for version, count in scope.not_probabilities.items()
        if count
    ]
    if found:
        return found
    return [*_missing(scope, limits), *_absolute(scope, limits), *_losses(scope, limits, bound)]


def _missing(scope: Scope, limits: GateLimits) -> Iterator[str]:
    for metric in limits.metrics:
        if scope.figures[metric].challenger is None:
            yield (
                f"{scope.title}: {_TITLES[metric]} is missing, because {_UNDEFINED[metric]}; leave "
                "it out of `metrics` if that is as it should be"
            )


def _absolute(scope: Scope, limits: GateLimits) -> Iterator[str]:
    """Yields what is beyond an absolute limit, by its whole interval, and not the champion's too.

    The gate keeps no champion that is as far beyond the limit itself.
    """
    for metric in limits.metrics:
        figure = scope.figures[metric]
        if figure.challenger_interval is None or (figure.loss is not None and figure.loss <= 0):
            continue
        low, high = figure.challenger_interval
        if metric == "calibration":
            band = limits.calibration_band
            beyond, limit = low > band or high < 1 / band, f"{1 / band:.3g} to {band:.3g}"
            name = "calibration_band"
        elif metric == "ne":
            beyond, limit, name = low > limits.max_ne, f"at most {limits.max_ne:g}", "max_ne"
        else:
            beyond, limit, name = high < limits.min_auc, f"at least {limits.min_auc:g}", "min_auc"
        if beyond:
            yield f"{_measured(scope, metric, figure)}, expected {limit} ({name})"


def _losses(scope: Scope, limits: GateLimits, bound: float) -> Iterator[str]:
    of_slice = "slice_" if scope.slicing else ""
    for metric in limits.metrics:
        figure = scope.figures[metric]
        if figure.loss is None or figure.loss_deviation is None:
            continue
        certain = figure.loss - bound * figure.loss_deviation
        text = _worse(scope, metric, figure)
        if metric == "calibration":
            name = f"{of_slice}calibration_loss"
            if figure.loss > getattr(limits, name) and (certain > 0 or not scope.slicing):
                yield f"{text}, more than {getattr(limits, name):g} ({name})"
        elif figure.loss > limits.loss and not scope.slicing:
            yield f"{text}, more than {limits.loss:g} (loss)"
        elif certain > getattr(limits, name := f"{of_slice}certain_loss"):
            limit = getattr(limits, name)
            yield f"{text}; {certain:.4f} for certain, more than {limit:g} ({name})"


def _measured(scope: Scope, metric: str, figure: Figure) -> str:
    low, high = figure.challenger_interval or (float("nan"), float("nan"))
    champion = "" if figure.champion is None else f", the champion's {figure.champion:.4f}"
    return (
        f"{scope.title}: {_TITLES[metric]} is {figure.challenger:.4f} "
        f"(95% interval {low:.4f} to {high:.4f}){champion}"
    )


def _worse(scope: Scope, metric: str, figure: Figure) -> str:
    low, high = figure.loss_interval or (float("nan"), float("nan"))
    what = "farther from 1" if metric == "calibration" else "worse"
    values = f"{figure.challenger:.4f} against the champion's {figure.champion:.4f}"
    if metric == "calibration":
        values += (
            f", {distance(figure.challenger):.4f} and {distance(figure.champion):.4f} as ratios"
        )
    return (
        f"{scope.title}: {_TITLES[metric]} is {figure.loss:.4f} {what} "
        f"(95% interval {low:.4f} to {high:.4f}): {values}"
    )
