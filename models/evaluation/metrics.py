"""Ranking and calibration metrics of predicted probabilities.

scikit-learn has the AUC. Written here are metrics that it lacks (GAUC, normalized entropy) and two
that differ from its own: its log loss clips at another epsilon, and its quantile bins of the
calibration curve differ in size where predictions tie.
"""

import numpy as np
from sklearn import metrics as sk_metrics

_EPSILON = 1e-7

Weights = np.ndarray | None
"""`[N]` how often each candidate counts, 0 or more; None for once each."""


def auc(labels: np.ndarray, scores: np.ndarray, weights: Weights = None) -> float | None:
    """Returns the area under the ROC curve, None if only one class is present.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`, higher for more likely.
      weights: of the candidates.
    """
    if _has_one_class(labels, weights):
        return None
    return float(sk_metrics.roc_auc_score(labels, scores, sample_weight=weights))


def gauc(
    labels: np.ndarray, scores: np.ndarray, user_ids: np.ndarray, weights: Weights = None
) -> tuple[float | None, dict[str, int]]:
    """Returns the AUC within each user, averaged by the user's number (weight) of candidates.

    After Zhu et al., "Optimized Cost per Click in Taobao Display Advertising", KDD 2017. Users
    with one class only have no AUC; they are left out and counted.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`.
      user_ids: `[N]` int64.
      weights: of the candidates.

    Returns:
      The GAUC, None if no user has both classes, and the numbers of users `scored` and
      `left_out`.
    """
    user = np.unique(user_ids, return_inverse=True)[1]
    areas, counts = user_aucs(labels, scores, user, weights)
    scored = np.isfinite(areas)
    users = {"scored": int(scored.sum()), "left_out": int((~scored).sum())}
    if not scored.any():
        return None, users
    return float(np.average(areas[scored], weights=counts[scored])), users


def user_aucs(
    labels: np.ndarray, scores: np.ndarray, user: np.ndarray, weights: Weights = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the AUC within each user.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`.
      user: `[N]` int64, each candidate's user as a number in `[0, U)`.
      weights: of the candidates.

    Returns:
      AUCs `[U]` float64, NaN for a user with one class only, and weights of candidates `[U]`,
      their numbers where each counts once.
    """
    # The share of pairs of positive and negative in which the positive has the higher score
    # (Mann-Whitney), a tie for half, for all users in one sort by (user, score).
    order = np.lexsort((scores, user))
    weight = np.ones(len(order)) if weights is None else weights[order].astype(np.float64)
    positive, owner = weight * labels[order], user[order]
    same = (np.diff(owner) == 0) & (np.diff(scores[order]) == 0)
    tie = np.concatenate([[0], np.cumsum(~same)])
    negative_of_tie = np.bincount(tie, weight - positive)
    total, positives = np.bincount(owner, weight), np.bincount(owner, positive)
    negatives = total - positives
    # Negatives below each tie, of its own user: those of all users before are taken off.
    others = np.concatenate([[0], np.cumsum(negatives)[:-1]])[owner]
    below = (np.cumsum(negative_of_tie) - negative_of_tie)[tie] - others
    wins = np.bincount(owner, positive * (below + negative_of_tie[tie] / 2))
    pairs = positives * negatives
    return np.divide(wins, pairs, out=np.full(len(total), np.nan), where=pairs > 0), total


def log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Returns the log loss of each candidate in nats, `[N]` float64."""
    clipped = np.clip(probabilities.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return -(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped))


def log_loss(labels: np.ndarray, probabilities: np.ndarray, weights: Weights = None) -> float:
    """Returns the mean log loss in nats."""
    return float(np.average(log_losses(labels, probabilities), weights=weights))


def normalized_entropy(
    labels: np.ndarray, probabilities: np.ndarray, weights: Weights = None
) -> float | None:
    """Returns the log loss divided by that of always predicting the label rate.

    After He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014.
    None if only one class is present.
    """
    if _has_one_class(labels, weights):
        return None
    rate = np.full(len(labels), np.average(labels, weights=weights))
    return log_loss(labels, probabilities, weights) / log_loss(labels, rate, weights)


def calibration(
    labels: np.ndarray, probabilities: np.ndarray, weights: Weights = None
) -> float | None:
    """Returns predicted divided by observed positives: 1 if calibrated, None without a positive."""
    if weights is not None:
        labels, probabilities = labels * weights, probabilities * weights
    observed = float(np.sum(labels))
    return float(np.sum(probabilities, dtype=np.float64)) / observed if observed else None


def calibration_curve(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10, weights: Weights = None
) -> list[dict[str, float]]:
    """Returns mean prediction, observed rate and count per bin; bins are of equal size."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), bins)

    def mean(values: np.ndarray, part: np.ndarray) -> float:
        return float(np.average(values[part], weights=None if weights is None else weights[part]))

    return [
        {
            "predicted": mean(probabilities, part),
            "observed": mean(labels, part),
            "count": len(part),
        }
        for part in parts
        if len(part)
    ]


def summarize(
    labels: np.ndarray,
    probabilities: np.ndarray,
    user_ids: np.ndarray,
    weights: Weights = None,
) -> dict[str, object]:
    """Returns every metric of a set of candidates; `candidates` and `positives` are their numbers.

    Args:
      labels: `[N]` 0 or 1.
      probabilities: `[N]` in [0, 1].
      user_ids: `[N]` int64.
      weights: of the candidates, not all 0.
    """
    grouped, users = gauc(labels, probabilities, user_ids, weights)
    return {
        "auc": auc(labels, probabilities, weights),
        "gauc": grouped,
        "logloss": log_loss(labels, probabilities, weights),
        "ne": normalized_entropy(labels, probabilities, weights),
        "calibration": calibration(labels, probabilities, weights),
        "candidates": len(labels),
        "positives": int(np.sum(labels)),
        "gauc_users": users,
    }


def _has_one_class(labels: np.ndarray, weights: Weights) -> bool:
    """Whether all candidates that count have one label."""
    counted = labels if weights is None else labels[weights > 0]
    return not counted.size or bool(counted.min() == counted.max())
