"""Models against each other on real data: one protocol, equal tuning, several seeds.

    python -m benchmarks.quality --data ../shared/data/movielens --seeds 5 --output FILE.json

`benchmarks.ranking_study.quality_protocol` says what is done. Beside the output stand `FILE.html`,
the pictures, and on the standard output the table in Markdown. A run that was killed goes on where
it was if it is given the same `--work`. Models, and LightGBM as `gradient_boosting`, are rows of
`--models`; `dmf_shuffled` is the control: DMF on vectors shuffled between items, so that a
pipeline that mixes items up, or gains from more parameters alone, would be found out.

Other data: `--data` may be a folder that the join wrote; its own split is used then, and models
that read vectors need `--embeddings`. A raw log laid out as `pipeline.end_to_end.demo_data` reads
it is joined first, by defaults that its columns decide and `--set join.FIELD=VALUE` replaces.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags, logging
from pydantic import TypeAdapter

from benchmarks.ranking_study import (
    code_fingerprint,
    gradient_boosting,
    quality_data,
    quality_protocol,
    quality_report,
    quality_rows,
    shuffled_embeddings,
)
from benchmarks.ranking_study.quality_data import DataSet
from benchmarks.ranking_study.quality_protocol import SHUFFLED, Protocol, Setting
from benchmarks.ranking_study.quality_trial import Task
from benchmarks.ranking_study.trial_pool import Outcome, TrialPool
from features.errors import UserInputError
from models.inputs.example_set import ExampleSet
from pipeline.runtime import entry_point, environment, json_file
from pipeline.training_runs import run_config
from pipeline.training_runs.run_config import RunConfig

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the benchmark's flags."""
    flags.DEFINE_string("data", None, "Folder of a raw log, or one that the join wrote.")
    flags.DEFINE_string("output", None, "JSON file.", required=True)
    flags.DEFINE_integer("seeds", 5, "Final runs have seeds 1..N.", lower_bound=1)
    flags.DEFINE_integer(
        "trials",
        4,
        "Settings tried for each model, on validation only.",
        lower_bound=1,
        upper_bound=quality_protocol.MOST_TRIALS,
    )
    flags.DEFINE_list("models", None, "Rows of the table; by default all.")
    flags.DEFINE_list("splits", list(quality_data.SPLITS), "Of a raw log: global, user, or both.")
    flags.DEFINE_multi_string("embeddings", [], "modality=DIR, for joined records; repeatable.")
    flags.DEFINE_multi_string(
        "behavior_type", [], "Expressions that type behaviors, instead of the log's default."
    )
    flags.DEFINE_list("statistics", None, "Running statistics, instead of the log's default.")
    flags.DEFINE_string("config", None, "Python file with get_config().")
    flags.DEFINE_multi_string("set", [], "key=value, such as model.heads=2; repeatable.")
    flags.DEFINE_string("work", None, "Folder to keep trials in; default: a temporary one.")
    flags.DEFINE_integer("workers", 2, "Trials at once, each with one thread.", lower_bound=1)
    flags.DEFINE_bool("render", False, "Only draw what --output holds already.")


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    if _FLAGS.render:
        _show(_read(_FLAGS.output), _FLAGS.output)
        return
    if not _FLAGS.data:
        raise UserInputError("Give --data, or --render to draw what --output holds already.")
    if _FLAGS.models:
        quality_protocol.check_models(_FLAGS.models)
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    with _work_folder() as work:
        data = _prepare(config, work)
        models = _FLAGS.models or _default_models(data)
        if quality_protocol.BOOSTING in models:
            gradient_boosting.require()
        protocol = Protocol(tuple(models), _FLAGS.seeds, _FLAGS.trials)
        result = Benchmark(protocol, config, data, TrialPool(work, _FLAGS.workers), work).result()
    with open(_FLAGS.output, "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    _show(result, _FLAGS.output)


class Benchmark:
    """Tuning, final runs and what comes of them.

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
        tuning = self.tune()
        chosen = {name: max(found, key=_selection) for name, found in tuning.items()}
        logging.info("Chosen: %s", {name: one["setting"] for name, one in chosen.items()})
        settings = {name: Setting(**one["setting"]) for name, one in chosen.items()}
        rows = [row for data in self._data for row in self.final(data, settings)]
        return {
            "command": environment.command("benchmarks.quality"),
            "environment": {**environment.versions(), "commit": code_fingerprint.commit()},
            "protocol": self._protocol.to_dict(),
            "configuration": self._configuration(),
            "data": [self._described(data) for data in self._data],
            "tuning": tuning,
            "rows": rows,
        }

    def tune(self) -> dict[str, list[dict[str, Any]]]:
        """Scores every model's settings on the first split's validation records.

        Returns:
          By model, a list of `setting`, `validation` (AUC, GAUC, ...) and `seconds`.
        """
        names = [name for name in self._protocol.models if not name.endswith(SHUFFLED)]
        trials = [
            (name, setting)
            for name in names
            for setting in quality_protocol.settings(
                name, self._protocol.trials, self._config.training
            )
        ]
        seed = quality_protocol.TUNING_SEED
        tasks = [
            self._task(self._data[0], name, setting, seed, "validation") for name, setting in trials
        ]
        tuning: dict[str, list[dict[str, Any]]] = {}
        outcomes = self._pool.run(tasks, "tuning")
        for (name, setting), outcome in zip(trials, outcomes, strict=True):
            figures = outcome.result["metrics"]
            tuning.setdefault(name, []).append(
                {
                    "setting": TypeAdapter(Setting).dump_python(setting),
                    "validation": {k: figures[k] for k in ("auc", "gauc", "logloss", "ne")},
                    "seconds": outcome.result["seconds"],
                }
            )
        return tuning

    def final(self, data: DataSet, settings: dict[str, Setting]) -> list[dict[str, Any]]:
        """Trains every row with every seed, scores the test split, and returns the rows.

        Args:
          data: a split.
          settings: chosen, by model.
        """
        models, seeds = self._protocol.models, range(1, self._protocol.seeds + 1)
        pairs = [(name, seed) for name in models for seed in seeds]
        sources = {True: data, False: data}
        if any(name.endswith(SHUFFLED) for name in models):
            sources[True] = self._shuffled(data)
        tasks = []
        for name, seed in pairs:
            original = name.removesuffix(SHUFFLED)
            source = sources[original != name]
            tasks.append(self._task(source, original, settings[original], seed, "test"))
        outcomes: dict[str, list[Outcome]] = {}
        found = self._pool.run(tasks, f"final, {data.split} split")
        for (name, _), outcome in zip(pairs, found, strict=True):
            outcomes.setdefault(name, []).append(outcome)
        return quality_rows.rows(data.split, outcomes, self._protocol.resamples)

    def _task(self, data: DataSet, model: str, setting: Setting, seed: int, evaluate: str) -> Task:
        boosting = model == quality_protocol.BOOSTING
        neural = model not in (quality_protocol.BOOSTING, quality_protocol.POPULARITY)
        shared = self._configuration() if neural else {"model": {}, "training": {}}
        return Task(
            examples=data.folder,
            model=model,
            evaluate=evaluate,
            seed=seed if neural or boosting else 0,
            model_settings={**shared["model"], **setting.model},
            training_settings={**shared["training"], **setting.training},
            boosting_settings=setting.boosting,
            embeddings=dict(data.embeddings),
            cache=os.path.join(self._work, "columns"),
        )

    def _configuration(self) -> dict[str, Any]:
        """Returns what all networks share, without what a task says itself."""
        values = run_config.to_dict(self._config)
        model = {name: value for name, value in values["model"].items() if name != "name"}
        training = {name: value for name, value in values["training"].items() if name != "seed"}
        return {"model": model, "training": training}

    def _shuffled(self, data: DataSet) -> DataSet:
        folder = os.path.join(self._work, f"{os.path.basename(data.folder)}-shuffled")
        examples = ExampleSet.open(data.folder)
        shuffled_embeddings.write_shuffled(examples, data.embeddings, folder)
        return DataSet(data.split, folder, data.embeddings)

    def _described(self, data: DataSet) -> dict[str, Any]:
        values = ExampleSet.open(data.folder).manifest
        return {
            "split": data.split,
            "schema": values["schema"],
            "parameters": values.get("parameters", {}),
            "candidates": {name: one["candidates"] for name, one in values["splits"].items()},
        }


def _prepare(config: RunConfig, work: str) -> list[DataSet]:
    overrides = dict(config.join)
    if _FLAGS.behavior_type:
        overrides["behavior_type"] = tuple(_FLAGS.behavior_type)
    if _FLAGS.statistics is not None:
        overrides["statistics"] = tuple(_FLAGS.statistics)
    embeddings = {
        name: os.path.abspath(folder)
        for name, folder in entry_point.modality_folders(_FLAGS.embeddings).items()
    }
    return quality_data.prepare(_FLAGS.data, _FLAGS.splits, overrides, embeddings, work)


def _default_models(data: Sequence[DataSet]) -> list[str]:
    """Returns all rows that the data allow."""
    models = quality_protocol.default_models()
    needed = {one.name for one in ExampleSet.open(data[0].folder).schema.modalities}
    if missing := sorted(needed - set(data[0].embeddings)):
        possible = quality_protocol.default_models(with_vectors=False)
        logging.warning(
            "Left out without --embeddings for %s: %s.",
            missing,
            sorted(set(models) - set(possible)),
        )
        return possible
    return models


@contextlib.contextmanager
def _work_folder() -> Iterator[str]:
    if _FLAGS.work:
        os.makedirs(_FLAGS.work, exist_ok=True)
        yield os.path.abspath(_FLAGS.work)
    else:
        with tempfile.TemporaryDirectory(prefix="quality-") as work:
            yield work


def _selection(trial: dict[str, Any]) -> float:
    return quality_protocol.selection_score(trial["validation"])


def _read(path: str) -> dict[str, Any]:
    """Returns an earlier output."""
    result = json_file.read(path, "--render:")
    if "protocol" not in result:
        raise UserInputError(f"--render: {path!r} has no protocol; run the benchmark again.")
    return result


def _show(result: dict[str, Any], output: str) -> None:
    print(quality_report.table(result))
    page = os.path.splitext(output)[0] + ".html"
    quality_report.render(result, page)
    logging.info("The table above is of %s; pictures are in %s.", output, page)


if __name__ == "__main__":
    main()
