"""Exports without a model: what is in the files does not matter to the folder that holds them.

Run as a program, it exports again and again: `exports.py FOLDER NAME COUNT SECONDS`.
"""

import datetime
import os
import sys
import time

from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import ExportedVersion

TAGS = {"id_tag": "1" * 16, "target_aware_tag": "a" * 16}
MOMENT = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)
FILES = ("saved_model.pb", "variables/variables.data", "assets.extra/warmup")


def publish(path, content="x", tags=TAGS, seconds=0.0, kind=ExportFolder) -> ExportedVersion:
    """Writes three files of the same content, a while apart, and publishes them."""
    folder = kind(str(path), clock=lambda: MOMENT)
    with folder.workspace() as workspace:
        saved_model = os.path.join(workspace, "saved_model")
        for name in FILES:
            file = os.path.join(saved_model, name)
            os.makedirs(os.path.dirname(file), exist_ok=True)
            with open(file, "w") as opened:
                opened.write(content)
            time.sleep(seconds)
        return folder.publish(saved_model, {"tags": dict(tags), "parity": {"max_abs_diff": 1e-7}})


def contents(version: ExportedVersion) -> set[str]:
    """What the files of a version hold: one text, if it is one exporter's."""
    found = set()
    for name in FILES:
        with open(os.path.join(version.folder, name)) as file:
            found.add(file.read())
    return found


def hidden(path) -> list[str]:
    """Names in a model's folder that are no version, but for the lock."""
    return sorted(name for name in os.listdir(path) if not name.isdecimal() and name != ".lock")


if __name__ == "__main__":
    _, where, who, count, wait = sys.argv
    for number in range(int(count)):
        publish(where, f"{who}-{number}", seconds=float(wait))
        print(number, flush=True)
