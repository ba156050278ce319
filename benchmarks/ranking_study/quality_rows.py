"""Rows of the quality table: from the predictions of all seeds to means and intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.ranking_study.quality_protocol import BASELINE
from models.evaluation import bootstrap, metrics
from models.evaluation.bootstrap import Draws

_FIGURES = ("auc", "gauc", "logloss", "ne", "calibration")
_COMPARED = {"auc": bootstrap.auc, "gauc": bootstrap.gauc}


def rows(
    split: str, outcomes: Mapping[str, Sequence[Mapping[str, Any]]], resamples: int
) -> list[dict[str, Any]]:
    """Returns one row per model.

    Args:
      split: name of the data set's split.
      outcomes: of `TrialPool`, one per seed, by model; includes the baseline.
      resamples: draws of the bootstrap.

    Returns:
      JSON values: `<figure>_mean`, `<figure>_std` and `<figure>_by_seed` of every figure,
      `calibration_curve` over all seeds, and of AUC and GAUC the `<figure>_difference` to the
      baseline: mean, 95% interval, relative gain in percent.

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
    # By draw, the mean over seeds, `[B]`.
    drawn = {
        name: {
            figure: np.mean([f(draws, one["label"], one["probability"]) for one in scored], axis=0)
            for figure, f in _COMPARED.items()
        }
        for name, scored in predictions.items()
    }
    table = []
    for name, found in outcomes.items():
        row: dict[str, Any] = {"split": split, "model": name, "seeds": len(found)}
        by_seed = {k: [one["metrics"][k] for one in found] for k in _FIGURES}
        for figure, values in by_seed.items():
            row |= {f"{figure}_{k}": v for k, v in _statistics(values).items()}
        if name != BASELINE:
            for figure in _COMPARED:
                baseline = [one["metrics"][figure] for one in outcomes[BASELINE]]
                row[f"{figure}_difference"] = _difference(
                    by_seed[figure], baseline, drawn[name][figure], drawn[BASELINE][figure]
                )
        row["calibration_curve"] = metrics.calibration_curve(
            np.concatenate([one["label"] for one in predictions[name]]),
            np.concatenate([one["probability"] for one in predictions[name]]),
        )
        row["parameters"] = found[0]["parameters"]
        row["seconds_mean"] = float(np.mean([one["seconds"] for one in found]))
        table.append(row)
    return table


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
