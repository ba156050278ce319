"""The report of one training run, made of the files of its folder."""

import os
from typing import Any

from features.files import manifest
from pipeline.report.formats import model_name
from pipeline.report.page import render
from pipeline.training_runs import run_config, run_folder


def path(folder: str) -> str:
    """Returns the path of a run's report."""
    return os.path.join(folder, "report.html")


def write(folder: str) -> None:
    """Writes `report.html`: data, curves, metrics of each scored split, attention, reproduction.

    Args:
      folder: see `run_folder`.

    Raises:
      UserInputError: the folder is not of a finished run.
    """
    run, config = run_folder.read(folder), run_folder.read_config(folder)
    model, trained = config["model"]["name"], run_folder.read_json(folder, manifest.FILE_NAME)
    data: dict[str, Any] = {
        "title": f"Training of {model_name(model)}",
        "label": run.label,
        "manifest": run_folder.read_json(folder, "data_manifest.json"),
        "training": {model: trained["training"]},
        "metrics": run_folder.read_metrics(folder),
        **run_folder.read_json(folder, "attention.json"),
        "run": {
            "folder": os.path.abspath(folder),
            "started": run.started,
            "finished": run.finished,
            "examples": run.examples,
            "data fingerprint": run.data_fingerprint,
            "schema fingerprint": trained["schema_fingerprint"],
            "vectors given": run.embeddings or "none, similarity codes alone",
            "code": run.code,
            "uncommitted changes": run_folder.PATCH if run_folder.has_patch(folder) else "none",
        },
        "changed_settings": run_config.changed(config),
        "config": config,
        "environment": {**run.environment, **run.variables},
        "command": run.command,
    }
    render(data, path(folder))
