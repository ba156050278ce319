"""Ranking and calibration metrics of predicted probabilities.

scikit-learn has the AUC. Written here are metrics that it lacks (GAUC, normalized entropy) and two
that differ from its own: its log loss clips at another epsilon, and its quantile bins of the
calibration curve differ in size where predictions tie.
"""

import numpy as np
from scipy import stats
from sklearn import metrics as sk_metrics

_EPSILON = 1e-7


def auc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Returns the area under the ROC curve, None if only one class is present.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`, higher for more likely.
    """
    if labels.min() == labels.max():
        return None
    return float(sk_metrics.roc_auc_score(labels, scores))


def gauc(
    labels: np.ndarray, scores: np.ndarray, user_ids: np.ndarray
) -> tuple[float | None, dict[str, int]]:
    """Returns the AUC within each user, averaged by the user's number of candidates.

    After Zhu et al., "Optimized Cost per Click in Taobao Display Advertising", KDD 2017. Users
    with one class only have no AUC; they are left out and counted.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`.
      user_ids: `[N]` int64.

    Returns:
      The GAUC, None if no user has both classes, and the numbers of users `scored` and
      `left_out`.
    """
    areas, counts = user_aucs(labels, scores, np.unique(user_ids, return_inverse=True)[1])
    scored = np.isfinite(areas)
    users = {"scored": int(scored.sum()), "left_out": int((~scored).sum())}
    if not scored.any():
        return None, users
    return float(np.average(areas[scored], weights=counts[scored])), users


def user_aucs(
    labels: np.ndarray, scores: np.ndarray, user: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the AUC within each user.

    Args:
      labels: `[N]` 0 or 1.
      scores: `[N]`.
      user: `[N]` int64, each candidate's user as a number in `[0, U)`.

    Returns:
      AUCs `[U]` float64, NaN for a user with one class only, and numbers of candidates `[U]`.
    """
    # The AUC from rank sums (Mann-Whitney), for all users in one sort by (user, score). Ranks over
    # all pairs are ranks within the user plus the number of candidates of the users before.
    order = np.lexsort((scores, user))
    same = (np.diff(user[order]) == 0) & (np.diff(scores[order]) == 0)
    tie_group = np.concatenate([[0], np.cumsum(~same)])
    rank = np.empty(len(order))
    rank[order] = stats.rankdata(tie_group)
    count = np.bincount(user)
    # Position of each user's first candidate in that order, [U].
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    positives = np.bincount(user, labels)
    pairs = positives * (count - positives)
    rank_sum = np.bincount(user, (rank - first[user]) * labels)
    wins = rank_sum - positives * (positives + 1) / 2
    return np.divide(wins, pairs, out=np.full(len(count), np.nan), where=pairs > 0), count


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Returns the mean log loss in nats."""
    clipped = np.clip(probabilities.astype(np.float64), _EPSILON, 1 - _EPSILON)
    return float(-np.mean(labels * np.log(clipped) + (1 - labels) * np.log1p(-clipped)))


def normalized_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Returns the log loss divided by that of always predicting the label rate.

    After He et al., "Practical Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014.
    None if only one class is present.
    """
    if labels.min() == labels.max():
        return None
    rate = np.full(len(labels), np.mean(labels))
    return log_loss(labels, probabilities) / log_loss(labels, rate)


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Returns predicted divided by observed positives: 1 if calibrated, None without a positive."""
    observed = float(np.sum(labels))
    return float(np.sum(probabilities, dtype=np.float64)) / observed if observed else None


def calibration_curve(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> list[dict[str, float]]:
    """Returns mean prediction, observed rate and count per bin; bins are of equal size."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), bins)
    return [
        {
            "predicted": float(np.mean(probabilities[part])),
            "observed": float(np.mean(labels[part])),
            "count": len(part),
        }
        for part in parts
        if len(part)
    ]


def summarize(
    labels: np.ndarray, probabilities: np.ndarray, user_ids: np.ndarray
) -> dict[str, object]:
    """Returns every metric of a set of candidates.

    Args:
      labels: `[N]` 0 or 1.
      probabilities: `[N]` in [0, 1].
      user_ids: `[N]` int64.
    """
    grouped, users = gauc(labels, probabilities, user_ids)
    return {
        "auc": auc(labels, probabilities),
        "gauc": grouped,
        "logloss": log_loss(labels, probabilities),
        "ne": normalized_entropy(labels, probabilities),
        "calibration": calibration(labels, probabilities),
        "candidates": len(labels),
        "positives": int(np.sum(labels)),
        "gauc_users": users,
    }
