"""The study of `benchmarks.quality`: tuning, final runs and the table's rows."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from benchmarks.ranking_study import (
    quality_protocol,
    quality_ranks,
    quality_rows,
    shuffled_embeddings,
    study_parts,
)
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
      data: the data sets; a setting is chosen for all of them.
      pool: runs the trials.
      work: folder for what trials share, and for the results of each data set (`study_parts`).
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
        """Returns the output: command, environment, protocol, tuning, rows and their summary.

        Rows of data sets that the folder holds already are included, where they were made by the
        same protocol and settings.
        """
        tuning = self._tune() if self._protocol.trials > 1 else {}
        settings = self._settings(tuning)
        logging.info("Chosen: %s", settings)
        shared = {
            "protocol": self._protocol.to_dict(),
            "configuration": self._configuration(),
            "settings": settings,
        }
        for data in self._data:
            values = {"data": _described(data), "rows": self._final(data, settings)}
            study_parts.write(self._work, shared, data.name, values)
        parts = study_parts.read(self._work, shared)
        rows = [row for part in parts for row in part["rows"]]
        hours = sum(row["seeds"] * row["processor_seconds_mean"] for row in rows) / 3600
        return {
            "command": environment.command("benchmarks.quality"),
            "environment": {**environment.versions(), "commit": study_parts.commit()},
            **shared,
            "data": [{**part["data"], "commit": part["commit"]} for part in parts],
            "tuning": tuning,
            "rows": rows,
            "summary": quality_ranks.summary(rows),
            "processor_hours": hours,
        }

    def _tune(self) -> dict[str, list[dict[str, Any]]]:
        """Returns by model a list of `setting` and, by data set, `validation` and `seconds`."""
        seed = quality_protocol.TUNING_SEED
        trials = [
            (name, setting, data)
            for name, settings in self._tried().items()
            for setting in settings
            for data in self._data
        ]
        tasks = [self._task(data, name, one, seed, "validation") for name, one, data in trials]
        outcomes = iter(self._pool.run(tasks, "tuning"))
        return {
            name: [
                {
                    "setting": setting,
                    "data": {data.name: _figures(next(outcomes)) for data in self._data},
                }
                for setting in settings
            ]
            for name, settings in self._tried().items()
        }

    def _tried(self) -> dict[str, list[Setting]]:
        """Returns the settings of every model but the controls, the configuration itself first."""
        training, trials = self._config.training, self._protocol.trials
        return {
            name: quality_protocol.settings(name, trials, training)
            for name in self._protocol.models
            if not name.endswith(SHUFFLED)
        }

    def _settings(self, tuning: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Setting]:
        """Returns the setting of each model: the first, or the one that tuning chose."""
        found = {}
        for name, settings in self._tried().items():
            scores = [
                [quality_protocol.selection_score(one["validation"]) for one in by_data.values()]
                for by_data in (trial["data"] for trial in tuning.get(name, ()))
            ]
            found[name] = settings[quality_protocol.chosen(scores) if scores else 0]
        return found

    def _final(self, data: DataSet, settings: Mapping[str, Setting]) -> list[dict[str, Any]]:
        """Trains every row with every seed, scores the test split, and returns the rows."""
        models = self._protocol.models
        folder = data.folder
        if any(name.endswith(SHUFFLED) for name in models):
            folder = os.path.join(self._work, f"{os.path.basename(data.folder)}-shuffled")
            examples = ExampleSet.open(data.folder)
            shuffled_embeddings.write_shuffled(examples, data.embeddings, folder)
        # The last rows take the longest: begun first, they do not run alone in the end.
        pairs = [
            (name, seed)
            for name in reversed(models)
            for seed in range(1, self._protocol.seeds_of(name) + 1)
        ]
        tasks = []
        for name, seed in pairs:
            original = name.removesuffix(SHUFFLED)
            source = data if original == name else dataclasses.replace(data, folder=folder)
            tasks.append(self._task(source, original, settings[original], seed, "test"))
        outcomes: dict[str, list[dict[str, Any]]] = {name: [] for name in models}
        found = self._pool.run(tasks, f"final, {data.name}")
        for (name, _), outcome in zip(pairs, found, strict=True):
            outcomes[name].append(outcome)
        rows = quality_rows.rows(data.name, outcomes, self._protocol.resamples)
        return quality_ranks.ranked(rows, data.truth)

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
        "name": data.name,
        "schema": values["schema"],
        "parameters": values.get("parameters", {}),
        "candidates": {name: one["candidates"] for name, one in values["splits"].items()},
        "truth": data.truth,
    }


def _figures(outcome: Mapping[str, Any]) -> dict[str, Any]:
    figures = outcome["metrics"]
    validation = {name: figures[name] for name in ("auc", "gauc", "logloss", "ne")}
    return {"validation": validation, "seconds": outcome["seconds"]}
