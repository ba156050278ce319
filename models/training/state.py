"""Checkpointed training state for exact resume."""

import os

import tensorflow as tf
from absl import logging

from features.errors import UserInputError
from models.ranking_model import RankingModel
from models.training import distribution
from models.training.checkpoints import StepCheckpoints
from models.training.json_state import JsonState

_KEPT = 2


class TrainingState:
    """Weights, optimizer slots, random generators and metrics, at one step.

    Each `save` writes a new checkpoint, so that a kill during a save leaves the earlier ones
    intact. The last two are kept, and so are the best weights that each of them refers to.

    Args:
      folder: receives the checkpoints.
      model: compiled, with its variables and its optimizer's.
      averages: of its weights, if there are any.

    Attributes:
      step: number of steps taken, over all passes.
      seconds: wall time of the training, over all processes that took part in it.
      history: one row per evaluation: `step`, training metrics, and validation metrics `val_...`.
    """

    def __init__(self, folder: str, model: RankingModel, averages: tf.Module | None = None) -> None:
        self._progress = JsonState()
        parts = {} if averages is None else {"averages": averages}
        everything = tf.train.Checkpoint(model=model, progress=self._progress, **parts)
        self._states = StepCheckpoints(os.path.join(folder, "states"), everything)
        only_model = tf.train.Checkpoint(model=model)
        self._weights = StepCheckpoints(os.path.join(folder, "weights"), only_model)
        self._damaged: set[int] = set()
        self.step = 0
        self.seconds = 0.0
        self.history: list[dict[str, float]] = []

    def save(self) -> None:
        """Writes a state, and removes checkpoints that no kept state needs."""
        self._progress.values = {
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
        }
        self._states.write(self.step)
        # States of later steps are damaged: one of an earlier step was restored.
        earlier = [step for step in self._states.steps() if step < self.step]
        kept = [*sorted(set(earlier) - self._damaged)[1 - _KEPT :], self.step]
        self._damaged.discard(self.step)
        self._states.keep(kept)
        # A state of step s refers to the best evaluation before s; the newest also to one at s.
        seen = [[row for row in self.history if row["step"] < step] for step in kept]
        self._weights.keep({int(best(rows)["step"]) for rows in (*seen, self.history) if rows})

    def restore(self) -> bool:
        """Restores the newest intact state, whose best weights are intact too.

        Returns:
          Whether there is one; otherwise the state is as before.

        Raises:
          OSError: a file cannot be read.
        """
        for step in reversed(self._states.steps()):
            problem = self._states.problem(step)
            values = {} if problem else self._states.values(step, "progress")
            history = values.get("history", [])
            if history and problem is None:
                problem = self._weights.problem(int(best(history)["step"]))
            if problem is None:
                self._states.read(step)
                self.step, self.history = step, history
                self.seconds = values.get("seconds", 0.0)
                return True
            self._damaged.add(step)
            logging.warning("Checkpoint of step %d skipped, it is damaged: %s", step, problem)
        return False

    def add_evaluation(self, figures: dict[str, float]) -> None:
        """Adds a row to the history, and writes the weights if they are the best so far."""
        row = {"step": self.step, **figures}
        self.history.append(row)
        if best(self.history) is row:
            self._weights.write(self.step)

    def restore_best(self) -> None:
        """Restores the weights of the best evaluation.

        Raises:
          UserInputError: they were damaged meanwhile.
        """
        distribution.wait_for_all()
        step = int(best(self.history)["step"])
        if problem := self._weights.problem(step):
            raise UserInputError(
                f"The best weights, of step {step}, were damaged after they were written: "
                f"{problem}. Run the same command again: it resumes from a state before them."
            )
        self._weights.read(step)


def best(history: list[dict[str, float]]) -> dict[str, float]:
    """Returns the row with the best validation AUC, the first of several."""
    return max(history, key=lambda row: row["val_auc"])
