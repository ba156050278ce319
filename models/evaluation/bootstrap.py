"""Bootstrap over users: the interval of a difference between two predictions.

Candidates of one user are not independent, so users are drawn with replacement rather than
candidates; after Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8. All
predictions are measured on the same draws, which makes their differences paired. Written by hand
because `scipy.stats.bootstrap` computes one draw at a time: each would sort all candidates again.
"""

import dataclasses

import numpy as np

from models.evaluation import metrics

_CELLS = 1 << 18
"""Draws times candidates that are worked on at once: few enough for a processor's cache."""


@dataclasses.dataclass(frozen=True)
class Draws:
    """Draws of users with replacement.

    Attributes:
      user: `[N]` int64, each candidate's user as a number in `[0, U)`.
      times: `[B, U]` float64, number of times that a draw has a user.
    """

    user: np.ndarray
    times: np.ndarray

    @classmethod
    def of(cls, user_ids: np.ndarray, resamples: int, seed: int = 0) -> "Draws":
        """Draws as many users as `[N]` int64 `user_ids` has, `resamples` times."""
        users, user = np.unique(user_ids, return_inverse=True)
        rng = np.random.default_rng(seed)
        even = np.full(len(users), 1 / len(users))
        return cls(user, rng.multinomial(len(users), even, size=resamples).astype(np.float64))


def auc(
    draws: Draws, labels: np.ndarray, scores: np.ndarray, weights: metrics.Weights = None
) -> np.ndarray:
    """Returns the AUC of each draw, `[B]` float64, NaN where a draw has one class only.

    The rank-sum of the candidates with their users' multiplicity as weights, so that no draw has
    to be sorted: ties count half.

    Args:
      draws: of the candidates' users.
      labels: `[N]` 0 or 1.
      scores: `[N]`.
      weights: of the candidates.
    """
    order = np.argsort(scores, kind="stable")
    user, positive = draws.user[order], labels[order] > 0
    once = None if weights is None else weights[order]
    ranked = scores[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    result = np.empty(len(draws.times))
    block = max(1, _CELLS // len(order))
    for first in range(0, len(draws.times), block):
        counted = draws.times[first : first + block, user]
        counted = counted if once is None else counted * once
        up = np.add.reduceat(counted * positive, starts, axis=1)
        down = np.add.reduceat(counted, starts, axis=1) - up
        below = np.cumsum(down, axis=1) - down / 2
        pairs = up.sum(1) * down.sum(1)
        wins = np.einsum("bn,bn->b", up, below)
        result[first : first + block] = _ratio(wins, pairs)
    return result


def gauc(
    draws: Draws, labels: np.ndarray, scores: np.ndarray, weights: metrics.Weights = None
) -> np.ndarray:
    """Returns the GAUC (`metrics.gauc`) of each draw, as `auc` does."""
    areas, counts = metrics.user_aucs(labels, scores, draws.user, weights)
    scored = np.isfinite(areas)
    total = draws.times[:, scored] @ counts[scored]
    gained = draws.times[:, scored] @ (counts * areas)[scored]
    return _ratio(gained, total)


def normalized_entropy(
    draws: Draws, labels: np.ndarray, probabilities: np.ndarray, weights: metrics.Weights = None
) -> np.ndarray:
    """Returns the normalized entropy (`metrics.normalized_entropy`) of each draw, as `auc` does."""
    losses = metrics.log_losses(labels, probabilities)
    loss, positives, total = _sums(draws, weights, losses, labels, np.ones(len(labels)))
    rate = _ratio(positives, total)
    mixed = (rate > 0) & (rate < 1)
    rate = np.where(mixed, rate, 0.5)
    always = -total * (rate * np.log(rate) + (1 - rate) * np.log1p(-rate))
    return _ratio(loss, np.where(mixed, always, 0))


def calibration(
    draws: Draws, labels: np.ndarray, probabilities: np.ndarray, weights: metrics.Weights = None
) -> np.ndarray:
    """Returns the calibration (`metrics.calibration`) of each draw, as `auc` does."""
    return _ratio(*_sums(draws, weights, probabilities, labels))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Returns the 95% percentile interval of `[B]` values by draw; NaN does not count."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def _sums(draws: Draws, weights: metrics.Weights, *columns: np.ndarray) -> np.ndarray:
    """Returns the sum of each column `[N]` in each draw, `[columns, B]` float64."""
    once = 1.0 if weights is None else weights
    users = draws.times.shape[1]
    by_user = [np.bincount(draws.user, column * once, users) for column in columns]
    return np.stack(by_user) @ draws.times.T


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
