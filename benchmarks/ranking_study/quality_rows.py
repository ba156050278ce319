"""Rows of the quality table: from the predictions of all seeds to means and intervals."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.ranking_study.quality_protocol import BASELINE
from models.evaluation import bootstrap, metrics
from models.evaluation.bootstrap import Draws

_FIGURES = ("auc", "gauc", "logloss", "ne", "calibration")
_COMPARED = {"auc": bootstrap.auc, "gauc": bootstrap.gauc}


def rows(
    data: str, outcomes: Mapping[str, Sequence[Mapping[str, Any]]], resamples: int
) -> list[dict[str, Any]]:
    """Returns one row per model.

    Args:
      data: name of the data set.
      outcomes: of `TrialPool`, one per seed 1, 2, ..., by model; includes the baseline, which has
        at least as many seeds as any other.
      resamples: draws of the bootstrap.

    Returns:
      JSON values: `<figure>_mean`, `<figure>_std` and `<figure>_by_seed` of every figure,
      `calibration_curve` over all seeds, `trained` (how far and why not further), and of AUC and
      GAUC the `<figure>_difference` to the baseline's same seeds: mean, 95% interval, relative gain
      in percent.

    Raises:
      ValueError: two models scored different candidates.
    """
    predictions = {
        name: [_predictions(one["predictions"]) for one in found]
        for name, found in outcomes.items()
    }
    first = predictions[BASELINE][0]
    for name, scored in predictions.items():
        for one in scored:
            if any(not np.array_equal(one[k], first[k]) for k in ("user_id", "item_id", "label")):
                raise ValueError(f"{name} scored other candidates than {BASELINE} did.")
    draws = Draws.of(first["user_id"], resamples)
    # By seed and draw, `[S, B]`.
    drawn = {
        name: {
            figure: np.stack([f(draws, one["label"], one["probability"]) for one in scored])
            for figure, f in _COMPARED.items()
        }
        for name, scored in predictions.items()
    }
    table = []
    for name, found in outcomes.items():
        row: dict[str, Any] = {"data": data, "model": name, "seeds": len(found)}
        by_seed = {k: [one["metrics"][k] for one in found] for k in _FIGURES}
        for figure, values in by_seed.items():
            row |= {f"{figure}_{k}": v for k, v in _statistics(values).items()}
        if name != BASELINE:
            for figure in _COMPARED:
                baseline = [one["metrics"][figure] for one in outcomes[BASELINE][: len(found)]]
                same = drawn[BASELINE][figure][: len(found)].mean(axis=0)
                row[f"{figure}_difference"] = _difference(
                    by_seed[figure], baseline, drawn[name][figure].mean(axis=0), same
                )
        row["calibration_curve"] = metrics.calibration_curve(
            np.concatenate([one["label"] for one in predictions[name]]),
            np.concatenate([one["probability"] for one in predictions[name]]),
        )
        row["trained"] = _trained([one.get("trained") for one in found])
        row["parameters"] = found[0]["parameters"]
        for unit in ("seconds", "processor_seconds"):
            row[f"{unit}_mean"] = float(np.mean([one[unit] for one in found]))
        table.append(row)
    return table


def _trained(found: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Returns mean amounts over seeds, and by reason how many seeds it stopped."""
    known = [one for one in found if one is not None]
    if not known:
        return None
    amounts = {name: float(np.mean([one[name] for one in known])) for name in ("amount", "best")}
    reasons = collections.Counter(one["reason"] for one in known)
    return {"unit": known[0]["unit"], **amounts, "reasons": dict(reasons)}


def _predictions(path: str) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return dict(found)


def _statistics(values: Sequence[float | None]) -> dict[str, Any]:
    """Returns mean and standard deviation over seeds; None where a seed has no figure."""
    mean = deviation = None
    if len(known := [value for value in values if value is not None]) == len(values):
        mean = float(np.mean(known))
        deviation = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
    return {"mean": mean, "std": deviation, "by_seed": list(values)}


def _difference(
    values: Sequence[float], baseline: Sequence[float], drawn: np.ndarray, drawn_base: np.ndarray
) -> dict[str, float]:
    """Returns the difference to the baseline, its interval, and both relative to the baseline."""
    mean, base = float(np.mean(values) - np.mean(baseline)), float(np.mean(baseline))
    low, high = bootstrap.interval(drawn - drawn_base)
    relative_low, relative_high = bootstrap.interval(100 * (drawn - drawn_base) / drawn_base)
    return {
        "mean": mean,
        "low": low,
        "high": high,
        "relative_percent": 100 * mean / base,
        "relative_percent_low": relative_low,
        "relative_percent_high": relative_high,
    }
