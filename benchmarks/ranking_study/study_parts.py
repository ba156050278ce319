"""The results of each data set, in the study's folder: parts of one table, run one at a time."""

import glob
import json
import os
from collections.abc import Mapping
from typing import Any

from absl import logging

from pipeline.runtime import environment, json_file

_FOLDER = "parts"


def write(work: str, shared: Mapping[str, Any], name: str, values: Mapping[str, Any]) -> None:
    """Writes the result of a data set, instead of an earlier one.

    Args:
      work: folder of the study.
      shared: JSON values that the parts of a table have in common.
      name: of the data set.
      values: JSON values, `data` and `rows`.
    """
    folder = os.path.join(work, _FOLDER)
    os.makedirs(folder, exist_ok=True)
    values = {"shared": shared, "commit": commit(), **values}
    json_file.write(os.path.join(folder, f"{name}.json"), values)


def read(work: str, shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the parts with these common values by name; others are left out, and logged."""
    paths = sorted(glob.glob(os.path.join(work, _FOLDER, "*.json")))
    found = [json_file.read(path, "A data set's result") for path in paths]
    wanted = json.loads(json.dumps(shared))
    alike = [part for part in found if part["shared"] == wanted]
    if other := [part["data"]["name"] for part in found if part["shared"] != wanted]:
        logging.warning(
            "Left out, made by another protocol or settings: %s. Run them with the same flags.",
            other,
        )
    if len(commits := {part["commit"] for part in alike}) > 1:
        logging.warning("The parts are of several commits: %s.", sorted(commits))
    return alike


def commit() -> str:
    """Returns the commit of the code, with a plus if it was changed since."""
    return environment.code().get("commit", "") + ("+" if environment.uncommitted() else "")
