"""The metrics of a run by split: `metrics/<split>.json` in its folder.

Each file has `evaluation.evaluate`'s figures, a checksum, and says which split of which model they
are of.
"""

import glob
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.errors import UserInputError
from features.files import checked, manifest

_OF = "of"


def write(folder: str, split: str, figures: Mapping[str, Any]) -> None:
    """Writes the metrics of one split; NumPy scalars are written as Python's."""
    plain = json.loads(json.dumps(figures, default=np.generic.item))
    manifest.write_values(_path(folder, split), {**plain, _OF: _subject(folder, split)})


def read(folder: str) -> dict[str, dict[str, Any]]:
    """Reads the metrics by split, validation before test; none where there is no folder.

    Raises:
      UserInputError: a file is damaged, or of another split or model. Metrics of earlier versions
        do not say what they are of.
    """
    files = glob.glob("*.json", root_dir=os.path.join(folder, "metrics"))
    names = sorted(name.removesuffix(".json") for name in files)
    splits = sorted(names, key=lambda one: one == "test")
    return {split: _read(folder, split) for split in splits}


def _read(folder: str, split: str) -> dict[str, Any]:
    path = _path(folder, split)
    remedy = f"Score it again with `python -m pipeline.evaluate --split {split}`, or remove it."
    try:
        values = manifest.without_marks(manifest.read_values(path))
    except UserInputError as error:
        raise UserInputError(f"{error} {remedy}") from error
    # A model with a list of its files is of a version whose metrics say what they are of.
    given = _OF in values or "files" in manifest.read_manifest(folder)
    if given and values.pop(_OF, None) != _subject(folder, split):
        raise UserInputError(f"{path!r} is of another split or model. {remedy}")
    return values


def _subject(folder: str, split: str) -> dict[str, str]:
    path = os.path.join(folder, manifest.FILE_NAME)
    return {"split": split, "model": checked.sha256(path) if os.path.isfile(path) else ""}


def _path(folder: str, split: str) -> str:
    return os.path.join(folder, "metrics", f"{split}.json")
