"""Trials in processes, a few at a time; a trial that is done is not run again.

`joblib.Parallel` runs them. Their results stay in plain folders rather than in `joblib.Memory`: a
key has to cover the data set's bytes and the code of other modules, which Memory does not see.
"""

import dataclasses
import os
import time
from collections.abc import Sequence
from typing import Any

import joblib
import tensorflow as tf
from absl import logging

from benchmarks.ranking_study import (
    code_fingerprint,
    gradient_boosting,
    quality_protocol,
    quality_trial,
)
from benchmarks.ranking_study.quality_trial import PREDICTIONS, RESULT, Task
from features.errors import UserInputError
from features.files import manifest
from pipeline.runtime import json_file

_CODE = ("features", "models", "benchmarks/ranking_study/quality_trial.py")
_REFERENCE_CODE = {
    quality_protocol.BOOSTING: gradient_boosting.CODE,
    quality_protocol.POPULARITY: ("benchmarks/ranking_study/candidate_columns.py",),
}
_NO_PLACE = ("examples", "embeddings", "cache")


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

    def run(self, tasks: Sequence[Task], phase: str) -> list[dict[str, Any]]:
        """Runs tasks whose results are not there yet.

        Args:
          tasks: in any order; none depends on another, and equal ones run once.
          phase: named in the log.

        Returns:
          What `quality_trial.run` returned of each task, and `predictions`, its file's path.

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
        results = [json_file.read(os.path.join(one, RESULT), "A trial's result") for one in folders]
        return [
            {**result, "predictions": os.path.join(folder, PREDICTIONS)}
            for result, folder in zip(results, folders, strict=True)
        ]


def use_one_thread() -> None:
    """Limits TensorFlow in this process to one thread; call it before TensorFlow starts."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def fingerprint(task: Task) -> str:
    """Returns 16 hexadecimal digits over a task, its data and its code."""
    settings = {k: v for k, v in dataclasses.asdict(task).items() if k not in _NO_PLACE}
    values = manifest.read_manifest(task.examples)
    data = [values["shards"], values["schema_fingerprint"]]
    code = (*_CODE, *_REFERENCE_CODE.get(task.model, ()))
    return code_fingerprint.fingerprint([settings, *data], code)


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
    spent = f"{result['seconds']:.0f} s, {result['processor_seconds']:.0f} s of processor"
    # The folder says which vectors a control has, and in tuning which data set it is.
    place = os.path.basename(task.examples)
    return f"{task.model} seed {task.seed} on {place}  {task.evaluate} {shown}  {spent}"
