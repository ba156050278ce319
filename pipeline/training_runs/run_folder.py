"""A training run as a folder: its model, configuration, inputs and metrics.

| file | holds |
|---|---|
| `run.json` | `Run`; written last, with size and sha256 of the other files and `manifest.json` |
| `run_config.json` | the resolved configuration, which `pipeline.train --config` reads |
| `data_manifest.json` | the joined examples' manifest |
| `uncommitted.patch` | uncommitted changes of the code, if there were any |
| `training.json` | what the model is trained from, see `run_claim`; written first |
| `attention.json` | effect of similarity: `split`, `bucket_effect` and `attention_mass` |
| `metrics/<split>.json` | see `run_metrics` |
| `report.html` | all of it on one page, see `training_run.write_report` |

The model's own files are `models.trained_model`'s; its manifest has the metrics of every
evaluation.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.schema import STRICT
from pipeline.runtime import json_file
from pipeline.training_runs import run_config, run_metrics
from pipeline.training_runs.run_config import RunConfig

FILE_NAME = "run.json"
PATCH = "uncommitted.patch"
REPORT = "report.html"
TRAINING = "training.json"
_CONFIG, _DATA, _ATTENTION = "run_config.json", "data_manifest.json", "attention.json"
_LISTED = (manifest.FILE_NAME, TRAINING, _CONFIG, _DATA, _ATTENTION, PATCH)
REMEDY = "Copy the folder again, or train again with --overwrite."
"""What to do about damaged files of a run."""


@dataclass(frozen=True, config=STRICT)
class Run:
    """The provenance of a model, besides its configuration.

    Attributes:
      label: the main one.
      command: the command line.
      directory: its working directory.
      arguments: flags of `pipeline.train` that train the same model, besides `--config`, `--set`
        and `--model_dir`.
      started: UTC, ISO 8601.
      finished: UTC, ISO 8601.
      examples: folder of the joined examples.
      data_fingerprint: of their content.
      embeddings: fingerprints of the embedding sets that were given, by modality.
      environment: versions of Python and packages, and the number of CPUs.
      variables: environment variables that can change a result.
      code: version and, where it ran from a clone, commit.
      files: `bytes` and `sha256` of files by name; none of an earlier version.
    """

    label: str
    command: str
    directory: str
    arguments: tuple[str, ...]
    started: str
    finished: str
    examples: str
    data_fingerprint: str
    embeddings: dict[str, str]
    environment: dict[str, str]
    variables: dict[str, str]
    code: dict[str, str]
    files: dict[str, dict[str, int | str]] = Field(default_factory=dict)


def write(
    folder: str,
    run: Run,
    config: RunConfig,
    data_manifest: Mapping[str, Any],
    attention: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    patch: str = "",
) -> None:
    """Writes the files of a run beside its model, and removes those of an earlier run.

    The folder is local, and `metrics` are by split.
    """
    for name in (FILE_NAME, PATCH, REPORT):
        Path(folder, name).unlink(missing_ok=True)
    shutil.rmtree(os.path.join(folder, "metrics"), ignore_errors=True)
    json_file.write(os.path.join(folder, _CONFIG), run_config.to_dict(config))
    json_file.write(os.path.join(folder, _DATA), data_manifest)
    json_file.write(os.path.join(folder, _ATTENTION), attention)
    if patch:
        path = os.path.join(folder, PATCH)
        storage.write_bytes(path, patch.encode(errors="surrogateescape"))
    for split, figures in metrics.items():
        run_metrics.write(folder, split, figures)
    paths = {name: os.path.join(folder, name) for name in _LISTED}
    files = {name: checked.fingerprint(one) for name, one in paths.items() if os.path.isfile(one)}
    values = TypeAdapter(Run).dump_python(run, mode="json")
    manifest.write_values(os.path.join(folder, FILE_NAME), {**values, "files": files})


def holds_run(folder: str) -> bool:
    """Whether a folder is of a finished run."""
    return os.path.isfile(os.path.join(folder, FILE_NAME))


def read(folder: str) -> Run:
    """Reads a run's provenance.

    Raises:
      UserInputError: the folder holds no finished run, or one of another version.
    """
    values = _provenance(folder)
    try:
        return TypeAdapter(Run).validate_python(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UserInputError(
            f"{os.path.join(folder, FILE_NAME)!r} was written by another version ({problems}). "
            "Use the code that wrote it, or train again."
        ) from error


def read_config(folder: str) -> dict[str, Any]:
    """Reads the sections `model` and `training` of a run's configuration.

    Raises:
      UserInputError: there is no such file, or it is no configuration of a run.
    """
    values = read_json(folder, _CONFIG)
    model, training = values.get("model"), values.get("training")
    named = isinstance(model, dict) and isinstance(model.get("name"), str)
    if not named or not isinstance(training, dict):
        raise UserInputError(
            f"{os.path.join(folder, 'run_config.json')!r} is no configuration of a run: expected "
            "the sections model, with a name, and training. Train again."
        )
    return {"model": model, "training": training}


def has_patch(folder: str) -> bool:
    """Whether a run's code had uncommitted changes."""
    return os.path.isfile(os.path.join(folder, PATCH))


def check_files(folder: str) -> None:
    """Compares the files that `run.json` lists with what they were when it was written.

    Raises:
      UserInputError: one is missing, damaged or another one; names it.
    """
    for name in _provenance(folder).get("files", {}):
        _check(folder, name)


def read_json(folder: str, name: str) -> dict[str, Any]:
    """Reads one of the JSON files of a run's folder.

    Raises:
      UserInputError: there is no such file, or it holds no JSON object.
    """
    path = os.path.join(folder, name)
    if holds_run(folder):
        _check(folder, name)
    if not os.path.exists(path):
        raise _is_none(folder, name)
    return json_file.read(path, "The run's")


def _provenance(folder: str) -> dict[str, Any]:
    if not holds_run(folder):
        raise _is_none(folder, FILE_NAME)
    return manifest.without_marks(manifest.read_values(os.path.join(folder, FILE_NAME)))


def _check(folder: str, name: str) -> None:
    files = _provenance(folder).get("files", {})
    if isinstance(files, dict) and isinstance(expected := files.get(name), dict):
        checked.verify(os.path.join(folder, name), expected, REMEDY)


def _is_none(folder: str, name: str) -> UserInputError:
    return UserInputError(
        f"{folder!r} has no {name}: it is not the folder of a finished training run. Give a "
        "--model_dir of pipeline.train, or run that again."
    )
