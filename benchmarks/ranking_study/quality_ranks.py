"""Models compared over data sets: ranks, ties, and how much of what can be known is known.

A row's score in a data set is the mean of its test AUC and GAUC. Two rows tie where their scores
differ by no more than the spread: the larger of .001 and the standard deviations of both
over seeds. Controls are shown without a rank.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.ranking_study.quality_protocol import (
    LEAST_SPREAD,
    POPULARITY,
    SHUFFLED,
    selection_score,
)

CALIBRATED = (0.97, 1.03)
FLOOR, CEILING = "item_rate", "without_position"
"""Ends of the distance in a simulated market, keys of `ground_truth.ceilings`; the row of the
item's rate, which knows the train split only, comes before the first.
"""

Row = dict[str, Any]


def ranked(rows: Sequence[Row], truth: Mapping[str, Any] | None) -> list[Row]:
    """Returns the rows of one data set with what a comparison says of them.

    Args:
      rows: of `quality_rows.rows`.
      truth: of a simulated market.

    Returns:
      The rows with `score_mean` and `score_std`; `rank`, from 1 for the best, and `behind`,
      `spread` and `tied` against the best, None for a control; `calibrated`; in a market `closed`,
      the share of the distance from the item's rate to the best AUC that the row closes.
    """
    found = [{**row, **_score(row)} for row in rows]
    entrants = [row for row in found if not row["model"].endswith(SHUFFLED)]
    floor = ceiling = None
    if truth is not None:
        rates = [row["auc_mean"] for row in found if row["model"] == POPULARITY]
        floor, ceiling = [*rates, truth[FLOOR]["auc"]][0], truth[CEILING]["auc"]
    best = max(entrants, key=lambda row: row["score_mean"])
    for row in found:
        row["rank"] = row["behind"] = row["spread"] = row["tied"] = None
        if row in entrants:
            row["rank"] = 1 + sum(one["score_mean"] > row["score_mean"] for one in entrants)
            row["behind"] = best["score_mean"] - row["score_mean"]
            row["spread"] = max(LEAST_SPREAD, row["score_std"], best["score_std"])
            row["tied"] = row["behind"] <= row["spread"]
        low, high = CALIBRATED
        known = row["calibration_mean"] is not None
        row["calibrated"] = known and low <= row["calibration_mean"] <= high
        if floor is not None and ceiling is not None and row["auc_mean"] is not None:
            row["closed"] = (row["auc_mean"] - floor) / (ceiling - floor)
    return found


def summary(rows: Sequence[Row]) -> list[Row]:
    """Returns one row per model over all data sets, by mean rank, controls last.

    `ranks` by data set, `mean_rank`, `share_tied` (of data sets in which it is the best or ties),
    `share_calibrated`, and `closed`, the mean over markets, None without one.
    """
    by_model: dict[str, list[Row]] = {}
    for row in rows:
        by_model.setdefault(row["model"], []).append(row)
    found = []
    for model, of_model in by_model.items():
        ranks = {row["data"]: row["rank"] for row in of_model}
        control = None in ranks.values()
        closed = [row["closed"] for row in of_model if row.get("closed") is not None]
        found.append(
            {
                "model": model,
                "ranks": ranks,
                "mean_rank": None if control else float(np.mean(list(ranks.values()))),
                "share_tied": None if control else _share(row["tied"] for row in of_model),
                "share_calibrated": _share(row["calibrated"] for row in of_model),
                "closed": float(np.mean(closed)) if closed else None,
            }
        )
    return sorted(found, key=lambda row: (row["mean_rank"] is None, row["mean_rank"] or 0))


def _score(row: Row) -> Row:
    """Returns mean and standard deviation over seeds of the mean of AUC and GAUC."""
    pairs = zip(row["auc_by_seed"], row["gauc_by_seed"], strict=True)
    scores = [selection_score({"auc": auc, "gauc": gauc}) for auc, gauc in pairs]
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0
    return {"score_mean": float(np.mean(scores)), "score_std": deviation}


def _share(values: Any) -> float:
    return float(np.mean(list(values)))
