"""Folders of training runs without a training, to list and compare."""

import dataclasses
from pathlib import Path

from features.files import manifest
from pipeline.training_runs import run_config, run_folder

RUN = run_folder.Run(
    label="click",
    command="python -m pipeline.train --examples examples --model_dir a",
    directory="/somewhere",
    arguments=("--examples=examples",),
    started="2026-05-01T10:00:00+00:00",
    finished="2026-05-01T10:05:00+00:00",
    examples="/nowhere/examples",
    data_fingerprint="0123456789abcdef",
    embeddings={},
    environment={"python": "3.11.7", "tensorflow": "2.16.2"},
    variables={},
    code={"version": "1.2.3", "commit": "c0ffee"},
)

METRICS = {"auc": 0.75, "gauc": 0.7, "logloss": 0.5, "ne": 0.9, "calibration": 1.02}

HISTORY = [
    {"step": step, "logloss": 0.6, "auc": 0.7, "val_logloss": 0.62, "val_auc": 0.69}
    for step in (10, 20)
]


def write_run(folder: Path, overrides=(), metrics=None, **changes) -> Path:
    """Writes a run as `pipeline.train` would.

    Args:
      folder: to write to.
      overrides: `key=value` of the configuration.
      metrics: by split.
      **changes: fields of `Run`.
    """
    folder.mkdir(parents=True)
    rate = 640.0 - len(overrides)  # Models of other settings have other manifests.
    training = {"steps": 20, "seconds": 2.0, "candidates_per_second": rate, "history": HISTORY}
    manifest.write_manifest(str(folder), {"training": training, "schema_fingerprint": "5c4e"})
    run_folder.write(
        str(folder),
        dataclasses.replace(RUN, **changes),
        run_config.load(None, overrides),
        {"splits": {}},
        {"split": "validation", "bucket_effect": {}, "attention_mass": {}},
        metrics or {"validation": METRICS},
    )
    return folder
