"""Trials in processes, a few at a time; a trial that is done is not run again.

`joblib.Parallel` runs them. Their results stay in plain folders rather than in `joblib.Memory`: a
key has to cover the data set's bytes and the code of other modules, which Memory does not see.
"""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Sequence
from typing import Any

import joblib
import tensorflow as tf
from absl import logging

from benchmarks.ranking_study import quality_trial
from benchmarks.ranking_study.code_fingerprint import code_sha256
from benchmarks.ranking_study.quality_trial import PREDICTIONS, RESULT, Task
from features.errors import UserInputError
from features.files import manifest

_CODE = ("features", "models", "benchmarks/ranking_study/quality_trial.py")
_REFERENCE_CODE = {
    "gradient_boosting": (
        "benchmarks/ranking_study/gradient_boosting.py",
        "benchmarks/ranking_study/record_features.py",
    ),
    "popularity": ("benchmarks/ranking_study/popularity.py",),
}
_NO_PLACE = ("examples", "embeddings", "cache")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The files of a trial that is done.

    Attributes:
      result: as `quality_trial.run` returns it.
      predictions: path of the predictions.
    """

    result: dict[str, Any]
    predictions: str


class TrialPool:
    """Runs trials in other processes, each with one thread.

    A result stays in `<folder>/<fingerprint>`, where the fingerprint covers the task, the data
    set's shards and the code, so a benchmark that was killed resumes where it was.

    Args:
      folder: for results.
      workers: processes at once; 1 runs the trials in this process.
    """

    def __init__(self, folder: str, workers: int):
        self._folder = folder
        self._workers = workers

    def run(self, tasks: Sequence[Task], phase: str) -> list[Outcome]:
        """Runs tasks whose results are not there yet.

        Args:
          tasks: in any order; none depends on another, and equal ones run once.
          phase: named in the log.

        Returns:
          An outcome for each task, in their order.

        Raises:
          UserInputError: a trial raised it.
          RuntimeError: a trial failed otherwise, or its process ended. The others are stopped.
        """
        folders = [os.path.join(self._folder, fingerprint(task)) for task in tasks]
        distinct = dict(zip(folders, tasks, strict=True))
        missing = [
            joblib.delayed(_run)(task, folder)
            for folder, task in distinct.items()
            if not os.path.isfile(os.path.join(folder, RESULT))
        ]
        logging.info("%s: %d trials, %d to run", phase, len(distinct), len(missing))
        started = time.perf_counter()
        with joblib.parallel_config("loky", n_jobs=self._workers, inner_max_num_threads=1):
            ended = joblib.Parallel(return_as="generator_unordered")(missing)
            for done, summary in enumerate(ended, start=1):
                left = (time.perf_counter() - started) / done * (len(missing) - done)
                logging.info("%s %d/%d  %s  %.0f s left", phase, done, len(missing), summary, left)
        return [_outcome(folder) for folder in folders]


def use_one_thread() -> None:
    """Limits TensorFlow in this process to one thread; call it before TensorFlow starts."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fingerprint(task: Task) -> str:
    """Returns 16 hexadecimal digits over a task, its data and its code.

    Args:
      task: whose examples exist.
    """
    parts: list[Any] = [
        {k: v for k, v in dataclasses.asdict(task).items() if k not in _NO_PLACE},
        manifest.read_manifest(task.examples)["shards"],
        manifest.read_manifest(task.examples)["schema_fingerprint"],
        code_sha256((*_CODE, *_REFERENCE_CODE.get(task.model, ()))),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _run(task: Task, folder: str) -> str:
    """Runs a trial in a worker and returns a line for the log."""
    use_one_thread()
    try:
        result = quality_trial.run(task, folder)
    except UserInputError:
        raise
    except Exception as error:
        raise RuntimeError(
            f"The trial of {task.model} with seed {task.seed} ended with {error!r}"
        ) from error
    figures = result["metrics"]
    shown = "  ".join(f"{name} {figures[name]:.4f}" for name in ("auc", "gauc", "ne"))
    return f"{task.model} seed {task.seed}  {task.evaluate} {shown}  {result['seconds']:.0f} s"


def _outcome(folder: str) -> Outcome:
    with open(os.path.join(folder, RESULT)) as file:
        return Outcome(json.load(file), os.path.join(folder, PREDICTIONS))
