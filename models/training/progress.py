"""Logs the progress of a training: metrics, rate and time left.

Not `keras.callbacks.ProgbarLogger`: a job's log needs lines at a bounded rate, and an estimate that
counts evaluations.
"""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import tf_keras as keras
from absl import logging

LINE_SECONDS = 60.0
"""Longest time between two log lines during training steps."""


class Progress(keras.callbacks.Callback):
    """Logs a line at each evaluation and once per minute in between, with rate and time left.

    The rate covers training steps only, without the process's first step, which traces, and
    without evaluations. The time left covers the remaining steps and evaluations, each as long as
    the last one; before the first evaluation, the line says that theirs is not included.

    Args:
      steps_per_evaluation: batches between two evaluations, a Keras epoch.
      steps: steps of the whole training.
      seconds_left: time until a bound ends the training.
      at_most: whether it may end earlier, so that the time left is the most there is.
      line_seconds: time between two lines during the steps.
      clock: returns seconds, ascending.
    """

    def __init__(
        self,
        steps_per_evaluation: int,
        steps: int,
        seconds_left: float = math.inf,
        at_most: bool = False,
        line_seconds: float = LINE_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        # As Keras' own callbacks do: without it every step waits for its metrics.
        self._supports_tf_logs = True
        self._steps_per_evaluation = steps_per_evaluation
        self._steps = steps
        self._line_seconds = line_seconds
        self._clock = clock
        self._taken = 0
        self._before = 0
        self._step = 0
        self._training_seconds = 0.0
        self._evaluation_seconds: float | None = None
        self._at_most = "at most " if at_most else ""
        self._last = self._line = clock()
        self._bound = self._last + seconds_left

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Starts the clock, which excludes evaluations."""
        self._before = epoch * self._steps_per_evaluation
        self._last = self._line = self._clock()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Counts a step, and logs a line if the last one is a minute old."""
        now = self._clock()
        if self._taken:
            self._training_seconds += now - self._last
        self._last = now
        self._taken += 1
        self._step = self._before + batch + 1
        if now - self._line >= self._line_seconds and batch + 1 < self._steps_per_evaluation:
            self._line = now
            self._log(_metrics(logs))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Logs a line with the validation split's metrics."""
        self._evaluation_seconds = self._clock() - self._last
        if self._step <= self._before:  # All of its steps were taken before a stop.
            self._step = min(self._before + self._steps_per_evaluation, self._steps)
        self._log(f"{_metrics(logs)}  validation {_metrics(logs, 'val_')}")

    def figures(self, batch_candidates: float) -> dict[str, float]:
        """Returns `steps`, `seconds` (without the first step) and `candidates_per_second`.

        Args:
          batch_candidates: mean number of candidates in a batch.
        """
        return {
            "steps": self._taken,
            "seconds": self._training_seconds,
            "candidates_per_second": self._rate() * batch_candidates,
        }

    def _log(self, metrics: str) -> None:
        pace = (
            f"{self._rate():.3g} steps/s  {self._at_most}{self._left()} left"
            if self._taken > 1
            else "first step"
        )
        share = 100 * self._step / self._steps
        logging.info(
            "train %3.0f%%  step %d/%d  %s  %s", share, self._step, self._steps, metrics, pace
        )

    def _left(self) -> str:
        """Returns the time that the remaining steps and evaluations will take, formatted."""
        seconds = (self._steps - self._step) / self._rate()
        bound = max(0.0, self._bound - self._clock())
        if self._evaluation_seconds is None and seconds < bound:
            return f"{duration(seconds)} and the evaluations"
        steps = self._steps_per_evaluation
        ended = self._step == self._steps
        to_come = 0 if ended else -(-self._steps // steps) - self._step // steps
        evaluations = to_come * (self._evaluation_seconds or 0.0)
        return duration(min(seconds + evaluations, bound))

    def _rate(self) -> float:
        """Returns steps per second, without the first step, which traces."""
        return max(1, self._taken - 1) / max(self._training_seconds, 1e-9)


def _metrics(logs: Mapping[str, Any] | None, prefix: str = "") -> str:
    names = ("loss", "logloss", "auc")
    figures = {name: (logs or {}).get(prefix + name) for name in names}
    return "  ".join(f"{k} {float(one):.4f}" for k, one in figures.items() if one is not None)


def duration(seconds: float) -> str:
    """Formats a wall time.

    >>> duration(42.4), duration(125), duration(7260)
    ('42 s', '2 min 5 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
