"""The training runs below a folder, as a table."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from absl import logging

from features.errors import UserInputError
from features.files import manifest
from pipeline.report import formats
from pipeline.report.sections.comparison_section import METRICS, goodness
from pipeline.runtime import text_table
from pipeline.training_runs import run_config, run_folder, run_metrics
from pipeline.training_runs.run_folder import Run

NAMES = tuple(key for key, *_ in METRICS)
"""The metrics of a run."""

_SPLIT = "validation"


@dataclass(frozen=True)
class ListedRun:
    """A run and the contents of its folder.

    Attributes:
      name: its folder, relative to the one that was searched.
      folder: its path.
      run: what made it.
      config: sections `model` and `training`.
      metrics: `evaluation.evaluate`'s figures by split.
      training: steps, seconds, rate and history.
    """

    name: str
    folder: str
    run: Run
    config: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    training: Mapping[str, Any]

    def metric(self, name: str) -> float | None:
        """Returns a metric: `auc` is of the validation split, `test.auc` of the test split."""
        split, _, key = name.rpartition(".")
        return formats.number(self.metrics, split or _SPLIT, key)


def find(folder: str) -> list[ListedRun]:
    """Returns the runs below a folder, the newest first; runs that cannot be read are logged.

    Raises:
      UserInputError: there is no run.
    """
    paths = [path for path, *_ in os.walk(folder) if run_folder.holds_run(path)]
    if not paths:
        raise UserInputError(
            f"No run is below {folder!r}. Give a folder below which are --model_dir folders of "
            "pipeline.train, or outputs of pipeline.run."
        )
    runs = []
    for path in paths:
        try:
            runs.append(_read(path, os.path.relpath(path, folder)))
        except UserInputError as error:
            logging.warning("Left out: %s", error)
    return sorted(runs, key=lambda one: (one.run.started, one.name), reverse=True)


def _read(folder: str, name: str) -> ListedRun:
    training = run_folder.read_json(folder, manifest.FILE_NAME).get("training")
    return ListedRun(
        name,
        folder,
        run_folder.read(folder),
        run_folder.read_config(folder),
        run_metrics.read(folder),
        training if isinstance(training, dict) else {},
    )


def select(runs: Sequence[ListedRun], name: str) -> ListedRun:
    """Returns the run with this name, or the only run whose name ends with it.

    Raises:
      UserInputError: no run or more than one matches.
    """
    wanted = os.path.normpath(name)
    exact = [one for one in runs if wanted in (one.name, os.path.normpath(one.folder))]
    found = exact or [one for one in runs if one.name.endswith(f"{os.sep}{wanted}")]
    if len(found) == 1:
        return found[0]
    what = "names several runs" if found else "is no run"
    names = ", ".join(sorted(one.name for one in found or runs))
    raise UserInputError(f"{name!r} {what}; expected one of: {names}.")


def order(runs: Sequence[ListedRun], metric: str) -> list[ListedRun]:
    """Returns runs by a metric, the best first, those without it last.

    Args:
      runs: in any order.
      metric: such as `auc`, of the validation split, or `test.auc`.

    Raises:
      UserInputError: there is no such metric, or no run has it.
    """
    key = metric.rpartition(".")[2]
    if key not in NAMES:
        raise UserInputError(
            f"--sort {metric!r}: expected one of {', '.join(NAMES)}, or of another split, such as "
            "test.auc."
        )
    values = {one.name: value for one in runs if (value := one.metric(metric)) is not None}
    if not values:
        raise UserInputError(
            f"--sort {metric!r}: no run was scored so. Score them with `python -m "
            "pipeline.evaluate --split SPLIT`."
        )
    return sorted(
        runs,
        key=lambda one: -goodness(key, values[one.name]) if one.name in values else float("inf"),
    )


def describe(runs: Sequence[ListedRun]) -> str:
    """Returns one line per run, and a warning where their data sets differ."""
    head = ["run", "started (UTC)", "model", *NAMES, "test.auc", "data", "not the default"]
    rows = [
        [
            one.name,
            one.run.started[:16].replace("T", " "),
            one.config["model"]["name"],
            *(formats.fixed(one.metric(name)) for name in (*NAMES, "test.auc")),
            one.run.data_fingerprint[:8],
            settings(one.config),
        ]
        for one in runs
    ]
    lines = [text_table.aligned([head, *rows])]
    if (data := len({one.run.data_fingerprint for one in runs})) > 1:
        lines.append(f"{data} data sets: figures compare only between runs of the same `data`.")
    return "\n".join(lines)


def settings(config: Mapping[str, Any]) -> str:
    """Returns the settings that are not the default, in the form of `--set`."""
    changed = {
        name: value for name, value in run_config.changed(config).items() if name != "model.name"
    }
    return " ".join(f"{name}={value}".replace(" ", "") for name, value in changed.items()) or "-"
