"""Whether a training may write a folder: free, its own, or of another training.

`training.json` says what a folder is trained from, from the first step on. With `run.json` beside
it the training is finished; with `backup/` it was stopped and is resumed by the same command.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.files import checked, locks, manifest, storage
from models import trained_model
from models.inputs.example_set import ExampleSet
from pipeline.publishing.publication import describe_difference
from pipeline.runtime import json_file
from pipeline.training_runs import run_config, run_folder
from pipeline.training_runs.run_config import RunConfig

FILE_NAME = run_folder.TRAINING
_BACKUP = "backup"
_OWN = (
    *(FILE_NAME, "manifest.json", _BACKUP, "tensorboard", "weights", "vocabulary", "content"),
    *("model.json", "schema.json", "metrics", "run_config.json", "data_manifest.json"),
    *("attention.json", run_folder.FILE_NAME, run_folder.PATCH, run_folder.REPORT),
)
"""What trainings write into a folder."""

_UNKNOWN = "unknown, of an earlier version"


def identity(
    examples: ExampleSet,
    config: RunConfig,
    embeddings: Mapping[str, EmbeddingSet],
    start: str | None = None,
) -> dict[str, Any]:
    """Returns JSON values that decide the weights: data, settings and the model to start from."""
    sections = run_config.to_dict(config)
    if start is not None:
        manifest.read_manifest(start)  # Raises for a folder that is no model.
    vocabulary = examples.vocabulary_path
    splits = json.dumps(examples.manifest["splits"], sort_keys=True).encode()
    return {
        "data": examples.fingerprint,
        "splits": hashlib.sha256(splits).hexdigest()[:16],
        "vocabulary": None if vocabulary is None else checked.sha256(vocabulary)[:16],
        "embeddings": {name: one.fingerprint for name, one in embeddings.items()},
        "start": None
        if start is None
        else checked.sha256(storage.join(start, manifest.FILE_NAME))[:16],
        "model": sections["model"],
        "training": sections["training"],
    }


@contextlib.contextmanager
def claimed(
    folder: str, wanted: Mapping[str, Any], overwrite: bool, write: bool = True
) -> Iterator[bool]:
    """Takes a folder as `claim` does, and keeps other trainings from it meanwhile.

    Yields:
      What `claim` returns.

    Raises:
      UserInputError: another training writes the folder, or it holds something else.
    """
    if claim(folder, wanted, overwrite, write=False):
        yield True
    elif not write:
        yield False
    else:
        with locks.locked(folder, "--model_dir"):
            yield claim(folder, wanted, overwrite)


def claim(folder: str, wanted: Mapping[str, Any], overwrite: bool, write: bool = True) -> bool:
    """Takes a folder for a training, unless the same one is finished there.

    Args:
      folder: local; absent, of the same training, or to be overwritten.
      wanted: of `identity`.
      overwrite: remove another training, or the same one where it is finished.
      write: whether this process writes the folder; of several workers, the chief.

    Returns:
      Whether the same training is finished there, so that there is nothing to do.

    Raises:
      UserInputError: the folder holds another training, another data set, or damaged files.
    """
    _refuse_data_set(folder)
    finished = run_folder.holds_run(folder)
    try:
        found = _found(folder)
        if finished and not overwrite:
            run_folder.check_files(folder)
            trained_model.check_files(folder)
    except UserInputError:
        if not overwrite:
            raise
        found = {"data": "damaged"}
    # What an earlier version did not record is taken as equal.
    difference = "" if found is None else describe_difference({**wanted, **found}, wanted)
    if difference and not overwrite:
        state = "a finished" if finished else "an unfinished"
        raise UserInputError(
            f"{folder!r} holds {state} training of other data or settings: {difference}. Give "
            "another folder, or --overwrite to remove that training and train anew."
        )
    if finished and not overwrite:
        return True
    if write:
        if finished or difference:
            _clear(folder)
        os.makedirs(folder, exist_ok=True)
        json_file.write(os.path.join(folder, FILE_NAME), dict(wanted))
    return False


def holds_another(folder: str, wanted: Mapping[str, Any]) -> bool:
    """Returns whether a folder holds another training than the wanted one, or a damaged one."""
    try:
        claim(folder, wanted, overwrite=False, write=False)
    except UserInputError:
        return True
    return False


def _refuse_data_set(folder: str) -> None:
    names = _names(folder)
    if manifest.FILE_NAME in names and "model.json" not in names:
        raise UserInputError(
            f"{folder!r} holds a data set that is no model, which would be lost. Give another "
            "folder."
        )


def _found(folder: str) -> dict[str, Any] | None:
    """Returns what the model or the states in a folder are trained from, None where it has none.

    Raises:
      UserInputError: a file is damaged.
    """
    names = _names(folder)
    if not names & {manifest.FILE_NAME, run_folder.FILE_NAME, _BACKUP}:
        return None
    if FILE_NAME in names:
        return run_folder.read_json(folder, FILE_NAME)
    if run_folder.FILE_NAME in names:
        return _of_earlier_version(folder)
    return {"data": _UNKNOWN}


def _of_earlier_version(folder: str) -> dict[str, Any]:
    """Returns what is known of a finished run without `training.json`."""
    run, sections = run_folder.read(folder), run_folder.read_config(folder)
    defaults = run_config.to_dict(RunConfig())
    given = {argument.partition("=")[0] for argument in run.arguments}
    return {
        "data": run.data_fingerprint,
        "embeddings": run.embeddings,
        "vocabulary": _UNKNOWN if "--vocabulary" in given else None,
        "start": _UNKNOWN if "--warm_start" in given else None,
        **{name: {**defaults[name], **values} for name, values in sections.items()},
    }


def _names(folder: str) -> set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()


def _clear(folder: str) -> None:
    """Removes what trainings wrote, the marks of a complete model first."""
    for name in (run_folder.FILE_NAME, *_OWN):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            storage.remove_file(path)
