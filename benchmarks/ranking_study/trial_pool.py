"""Trials as processes, a few at a time; what is done already is not done again."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

from absl import logging

from benchmarks.ranking_study.code_fingerprint import REPOSITORY, code_sha256
from benchmarks.ranking_study.quality_trial import PREDICTIONS, RESULT, Task
from features.errors import UserInputError
from features.files import manifest
from pipeline.runtime import entry_point

_CODE = ("features", "models", "benchmarks/ranking_study/quality_trial.py")
_REFERENCE_CODE = {
    "gradient_boosting": (
        "benchmarks/ranking_study/gradient_boosting.py",
        "benchmarks/ranking_study/record_features.py",
    ),
    "popularity": ("benchmarks/ranking_study/popularity.py",),
}
_NO_PLACE = ("examples", "embeddings", "cache")
_LAST_LINES = 20

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a trial left behind.

    Attributes:
      result: as `quality_trial.run` returns it.
      predictions: path of the predictions.
    """

    result: dict[str, Any]
    predictions: str


class TrialPool:
    """Runs trials in processes of their own, each with one thread.

    A result stays in `<folder>/<fingerprint>`, where the fingerprint covers the task, the data
    set's shards and the code, so that a benchmark that was killed goes on where it was.

    Args:
      folder: for results.
      workers: processes at once.
    """

    def __init__(self, folder: str, workers: int):
        self._folder = folder
        self._workers = workers
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()

    def run(self, tasks: Sequence[Task], what: str) -> list[Outcome]:
        """Runs tasks, or finds their results.

        Args:
          tasks: in any order; none depends on another, and equal ones run once.
          what: they are, for the log.

        Returns:
          An outcome for each task, in their order.

        Raises:
          UserInputError: a trial ended with one.
          RuntimeError: a trial failed otherwise; with the end of what it said. Nothing more is
            started then, and what ran is stopped.
        """
        names = [fingerprint(task) for task in tasks]
        distinct = dict(zip(names, tasks, strict=True))
        report = _Progress(what, len(distinct))
        executor = futures.ThreadPoolExecutor(self._workers)
        try:
            started = {
                name: executor.submit(self._one, task, name, report)
                for name, task in distinct.items()
            }
            futures.wait(started.values(), return_when=futures.FIRST_EXCEPTION)
            for one in started.values():
                if one.done() and (error := one.exception()):
                    raise error
            return [started[name].result() for name in names]
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            with self._lock:
                for process in self._running:
                    process.terminate()
            executor.shutdown()

    def _one(
        self, task: Task, name: str, report: Callable[[Task, dict[str, Any] | None], None]
    ) -> Outcome:
        folder = os.path.join(self._folder, name)
        result = os.path.join(folder, RESULT)
        fresh = not os.path.isfile(result)
        if fresh:
            self._process(task, folder)
        with open(result) as file:
            values = json.load(file)
        report(task, values if fresh else None)
        return Outcome(values, os.path.join(folder, PREDICTIONS))

    def _process(self, task: Task, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        task_file = os.path.join(folder, "task.json")
        with open(task_file, "w") as file:
            json.dump(dataclasses.asdict(task), file, indent=2)
        command = [sys.executable, "-m", "benchmarks.ranking_study.quality_trial"]
        command += [f"--task={task_file}", f"--output={folder}"]
        log = os.path.join(folder, "log.txt")
        with open(log, "w") as output:
            with self._lock:
                process = subprocess.Popen(
                    command,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=REPOSITORY,
                    env={**os.environ, **_ONE_THREAD},
                )
                self._running.add(process)
            code = process.wait()
            with self._lock:
                self._running.discard(process)
        if code:
            with open(log, errors="replace") as file:
                last = "".join(file.readlines()[-_LAST_LINES:])
            message = f"The trial of {task.model} with seed {task.seed} ended with {code}; {log}:"
            error = UserInputError if code == entry_point.USER_ERROR_CODE else RuntimeError
            raise error(f"{message}\n{last}")


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


class _Progress:
    """Logs a line for each trial that ends, with the time left."""

    def __init__(self, what: str, total: int):
        self._what, self._total = what, total
        self._done = self._fresh = 0
        self._started = time.perf_counter()
        self._lock = threading.Lock()

    def __call__(self, task: Task, result: dict[str, Any] | None) -> None:
        with self._lock:
            self._done += 1
            self._fresh += result is not None
            spent = time.perf_counter() - self._started
            left = spent / max(self._fresh, 1) * (self._total - self._done)
            logging.info(
                "%s %d/%d  %s seed %d  %s  %.0f s left",
                self._what,
                self._done,
                self._total,
                task.model,
                task.seed,
                _summary(task, result) if result else "was done",
                left,
            )


def _summary(task: Task, result: dict[str, Any]) -> str:
    figures = result["metrics"]
    shown = "  ".join(f"{name} {figures[name]:.4f}" for name in ("auc", "gauc", "ne"))
    return f"{task.evaluate} {shown}  {result['seconds']:.0f} s"
