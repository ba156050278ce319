"""The study of `benchmarks.quality`: tuning, final runs and the table's rows."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from absl import logging

from benchmarks.ranking_study import quality_protocol, quality_rows, shuffled_embeddings
from benchmarks.ranking_study.quality_data import DataSet
from benchmarks.ranking_study.quality_protocol import SHUFFLED, Protocol, Setting
from benchmarks.ranking_study.quality_trial import Task
from benchmarks.ranking_study.trial_pool import TrialPool
from models.inputs.example_set import ExampleSet
from pipeline.runtime import environment
from pipeline.training_runs import run_config
from pipeline.training_runs.run_config import RunConfig


class Study:
    """Tunes every model, runs the final trials and compares them.

    Args:
      protocol: what is run.
      config: what all models share.
      data: a data set for each split; models are tuned on the first.
      pool: runs the trials.
      work: folder for what trials share.
    """

    def __init__(
        self,
        protocol: Protocol,
        config: RunConfig,
        data: Sequence[DataSet],
        pool: TrialPool,
        work: str,
    ):
        self._protocol, self._config, self._data = protocol, config, data
        self._pool, self._work = pool, work

    def result(self) -> dict[str, Any]:
        """Returns the output: command, environment, protocol, tuning and rows."""
        tuning = self._tune()
        settings = {name: max(found, key=_selection)["setting"] for name, found in tuning.items()}
        logging.info("Chosen: %s", settings)
        commit = environment.code().get("commit", "") + ("+" if environment.uncommitted() else "")
        return {
            "command": environment.command("benchmarks.quality"),
            "environment": {**environment.versions(), "commit": commit},
            "protocol": self._protocol.to_dict(),
            "configuration": self._configuration(),
            "data": [_described(data) for data in self._data],
            "tuning": tuning,
            "rows": [row for data in self._data for row in self._final(data, settings)],
        }

    def _tune(self) -> dict[str, list[dict[str, Any]]]:
        """Returns by model a list of `setting`, `validation` (AUC, GAUC, ...) and `seconds`."""
        trials = [
            (name, setting)
            for name in self._protocol.models
            if not name.endswith(SHUFFLED)
            for setting in quality_protocol.settings(
                name, self._protocol.trials, self._config.training
            )
        ]
        seed = quality_protocol.TUNING_SEED
        tasks = [self._task(self._data[0], *trial, seed, "validation") for trial in trials]
        tuning: dict[str, list[dict[str, Any]]] = {}
        for (name, setting), outcome in zip(trials, self._pool.run(tasks, "tuning"), strict=True):
            figures = outcome["metrics"]
            tuning.setdefault(name, []).append(
                {
                    "setting": setting,
                    "validation": {k: figures[k] for k in ("auc", "gauc", "logloss", "ne")},
                    "seconds": outcome["seconds"],
                }
            )
        return tuning

    def _final(self, data: DataSet, settings: dict[str, Setting]) -> list[dict[str, Any]]:
        """Trains every row with every seed, scores the test split, and returns the rows."""
        models, seeds = self._protocol.models, range(1, self._protocol.seeds + 1)
        folder = data.folder
        if any(name.endswith(SHUFFLED) for name in models):
            folder = os.path.join(self._work, f"{os.path.basename(data.folder)}-shuffled")
            examples = ExampleSet.open(data.folder)
            shuffled_embeddings.write_shuffled(examples, data.embeddings, folder)
        pairs = [(name, seed) for name in models for seed in seeds]
        tasks = []
        for name, seed in pairs:
            original = name.removesuffix(SHUFFLED)
            source = data if original == name else dataclasses.replace(data, folder=folder)
            tasks.append(self._task(source, original, settings[original], seed, "test"))
        outcomes: dict[str, list[dict[str, Any]]] = {}
        found = self._pool.run(tasks, f"final, {data.split} split")
        for (name, _), outcome in zip(pairs, found, strict=True):
            outcomes.setdefault(name, []).append(outcome)
        return quality_rows.rows(data.split, outcomes, self._protocol.resamples)

    def _task(self, data: DataSet, model: str, setting: Setting, seed: int, evaluate: str) -> Task:
        neural = model not in (quality_protocol.BOOSTING, quality_protocol.POPULARITY)
        shared = self._configuration() if neural else {"model": {}, "training": {}}
        return Task(
            examples=data.folder,
            model=model,
            evaluate=evaluate,
            seed=0 if model == quality_protocol.POPULARITY else seed,
            model_settings={**shared["model"], **setting["model"]},
            training_settings={**shared["training"], **setting["training"]},
            boosting_settings=setting["boosting"],
            embeddings=dict(data.embeddings),
            cache=os.path.join(self._work, "columns"),
        )

    def _configuration(self) -> dict[str, Any]:
        """Returns what all networks share, without the fields that a task sets itself."""
        values = run_config.to_dict(self._config)
        model = {name: value for name, value in values["model"].items() if name != "name"}
        training = {name: value for name, value in values["training"].items() if name != "seed"}
        return {"model": model, "training": training}


def _described(data: DataSet) -> dict[str, Any]:
    values = ExampleSet.open(data.folder).manifest
    return {
        "split": data.split,
        "schema": values["schema"],
        "parameters": values.get("parameters", {}),
        "candidates": {name: one["candidates"] for name, one in values["splits"].items()},
    }


def _selection(trial: dict[str, Any]) -> float:
    return quality_protocol.selection_score(trial["validation"])
