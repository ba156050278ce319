"""Metrics of the champion and the challenger on the same candidates, with paired intervals."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from models.evaluation import bootstrap, metrics
from models.evaluation.bootstrap import Draws
from pipeline.version_gate.options import METRICS

Interval = tuple[float, float]

_FARTHEST = 1e-6
"""Least calibration whose distance from 1 is told apart: that of predictions near 0."""

_MEASURES: dict[str, tuple[Callable[..., Any], Callable[..., np.ndarray]]] = {
    "auc": (metrics.auc, bootstrap.auc),
    "gauc": (lambda *columns: metrics.gauc(*columns)[0], bootstrap.gauc),
    "ne": (metrics.normalized_entropy, bootstrap.normalized_entropy),
    "calibration": (metrics.calibration, bootstrap.calibration),
}


@dataclasses.dataclass(frozen=True)
class Task:
    """One label's predictions, `[N]` each.

    Attributes:
      label: float32, 0 or 1.
      challenger: float32 probabilities.
      champion: float32 probabilities; None where there is no champion, or it has no such label.
    """

    label: np.ndarray
    challenger: np.ndarray
    champion: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Candidates that both versions scored, `[N]` each.

    Attributes:
      user_id: int64.
      tasks: by label.
      slices: which candidates are in a slice, bool, by slicing and name of the slice.
      stands_for: how many candidates of the log each stands for; None for one each.
      lost: labels that the champion predicts and the challenger does not.
    """

    user_id: np.ndarray
    tasks: Mapping[str, Task]
    slices: Mapping[str, Mapping[str, np.ndarray]] = dataclasses.field(default_factory=dict)
    stands_for: np.ndarray | None = None
    lost: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Figure:
    """One metric of both versions; what is not defined is None.

    Attributes:
      challenger: of the challenger.
      challenger_interval: its 95% interval.
      champion: of the champion.
      loss: how much worse the challenger is: lower AUC or GAUC, higher NE, a calibration that is
        farther from 1 (`distance`).
      loss_interval: its paired 95% interval.
      loss_deviation: the standard deviation of the loss, by the same draws.
    """

    challenger: float | None
    challenger_interval: Interval | None = None
    champion: float | None = None
    loss: float | None = None
    loss_interval: Interval | None = None
    loss_deviation: float | None = None


@dataclasses.dataclass(frozen=True)
class Scope:
    """The figures of one label, over all candidates or in a slice.

    Attributes:
      task: the label.
      slicing: such as `history_length`; empty over all.
      name: of the slice; empty over all.
      users: distinct ones.
      candidates: their number.
      positives: their number.
      expected: how many positives the challenger predicts among the candidates.
      not_probabilities: by version, scores that are no number from 0 to 1.
      compared: whether the champion predicts the label.
      figures: by name of the metric.
    """

    task: str
    slicing: str
    name: str
    users: int
    candidates: int
    positives: int
    expected: float
    not_probabilities: Mapping[str, int]
    compared: bool
    figures: Mapping[str, Figure]

    @property
    def negatives(self) -> int:
        """Candidates that are no positives."""
        return self.candidates - self.positives

    @property
    def title(self) -> str:
        """The label and the slice, for a person."""
        return f"{self.task}, {self.slicing} {self.name}" if self.slicing else self.task


def compare(held_out: HeldOut, resamples: int) -> list[Scope]:
    """Returns the figures of each label over all candidates, and then by slice.

    Args:
      held_out: the candidates.
      resamples: draws of the bootstrap.
    """
    scopes = []
    for name, task in held_out.tasks.items():
        every = np.ones(len(task.label), bool)
        scopes.append(_scope(held_out, name, "", "", every, resamples))
        scopes += [
            _scope(held_out, name, slicing, one, chosen, resamples)
            for slicing, slices in held_out.slices.items()
            for one, chosen in slices.items()
            if chosen.any()
        ]
    return scopes


def distance(calibration: Any) -> Any:
    """Returns how far calibrations are from 1, as a ratio from 1 on.

    >>> float(distance(0.8)), float(distance(1.25))
    (1.25, 1.25)
    """
    calibration = np.maximum(calibration, _FARTHEST)
    return np.maximum(calibration, 1 / calibration)


def _scope(
    held_out: HeldOut, name: str, slicing: str, one: str, chosen: np.ndarray, resamples: int
) -> Scope:
    task, user_id = held_out.tasks[name], held_out.user_id[chosen]
    label = task.label[chosen]
    weights = None if held_out.stands_for is None else held_out.stands_for[chosen]
    scores = {"challenger": task.challenger[chosen]}
    if task.champion is not None:
        scores["champion"] = task.champion[chosen]
    bad = {version: int((~_is_probability(one)).sum()) for version, one in scores.items()}
    draws = Draws.of(user_id, resamples) if len(user_id) else None
    measured = {
        version: _measure(draws, label, one, user_id, weights)
        for version, one in scores.items()
        if not bad[version] and draws is not None
    }
    return Scope(
        name,
        slicing,
        one,
        users=0 if draws is None else draws.times.shape[1],
        candidates=len(label),
        positives=int((label > 0).sum()),
        expected=float(np.nan_to_num(scores["challenger"]).sum()),
        not_probabilities=bad,
        compared=task.champion is not None,
        figures={metric: _figure(metric, measured) for metric in METRICS},
    )


def _is_probability(scores: np.ndarray) -> np.ndarray:
    return np.isfinite(scores) & (scores >= 0) & (scores <= 1)


_Measured = Mapping[str, tuple[float, np.ndarray]]


def _measure(
    draws: Draws | None,
    label: np.ndarray,
    scores: np.ndarray,
    user_id: np.ndarray,
    weights: metrics.Weights,
) -> _Measured:
    """Returns the value of each defined metric, and its values by draw `[B]`."""
    found = {}
    for name, (plain, drawn) in _MEASURES.items():
        users = (user_id,) if name == "gauc" else ()
        value = plain(label, scores, *users, weights)
        if value is not None:
            found[name] = value, drawn(draws, label, scores, weights)
    return found


def _figure(metric: str, measured: Mapping[str, _Measured]) -> Figure:
    mine = measured.get("challenger", {}).get(metric)
    other = measured.get("champion", {}).get(metric)
    champion = None if other is None else other[0]
    if mine is None:
        return Figure(None, champion=champion)
    interval = _interval(mine[1])
    if other is None:
        return Figure(mine[0], interval)
    loss, drawn = (
        _badness(metric, one) - _badness(metric, two) for one, two in zip(mine, other, strict=True)
    )
    paired = _interval(drawn)
    deviation = None if paired is None else float(np.nanstd(drawn))
    return Figure(mine[0], interval, champion, float(loss), paired, deviation)


def _badness(metric: str, values: Any) -> Any:
    """Returns a number that grows as a metric gets worse."""
    if metric == "calibration":
        return distance(values)
    return values if metric == "ne" else -values


def _interval(values: np.ndarray) -> Interval | None:
    return bootstrap.interval(values) if np.isfinite(values).any() else None
