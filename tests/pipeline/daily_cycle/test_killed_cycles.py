"""Cycles killed at random moments: run again to the end, they leave what one that was not does.

`--kills 300` kills 30 times instead of twice.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from pipeline.daily_cycle.ledger import Ledger
from pipeline.daily_cycle.steps import NAMES
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.rollout import Rollout
from tests.conftest import REPOSITORY
from tests.pipeline.daily_cycle import daily_log

PARTS = ("2024-01-01", "2024-01-02")
CONFIG = {
    "events": "log/{part}/",
    "embeddings": {"text": "market/embeddings/text"},
    "items": "market/items",
    "join": {
        "timestamp_unit": "ms",
        "splits": "train:..2030-01-01,test:2030-01-01..",
        "partitions": 4,
        "statistics": ["click"],
    },
    "model": {"hidden": (8,)},
    "training": {"epochs": 1, "deterministic": True, "evaluations_per_epoch": 1},
    "export": {"batch_sizes": (1,)},
    "gate": daily_log.OPEN_GATE,
    "caches": {"items": "market/items"},
}
LONGEST = 50.0
"""Seconds until a kill, at most; a part takes about a minute."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("killed")
    settings = MarketplaceSettings.from_dict(
        {"events": 8_000, "users": 300, "items": 200, "days": 2, "modalities": {"text": 16}}
    )
    simulate(str(made / "market"), settings)
    daily_log.split_by_day(made / "market" / "impressions", made / "log")
    return made


def start(folder, work):
    path = folder / f"{work}.json"
    path.write_text(json.dumps({**CONFIG, "work": work}))
    command = [sys.executable, "-m", "pipeline.cycle", f"--config={path}"]
    command += [f"--from={PARTS[0]}", f"--to={PARTS[-1]}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process):
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output[-3000:]


def kill_after(process, seconds):
    """Kills a cycle with its children; returns whether it was still running."""
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    running = process.poll() is None
    if running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return running


def hashes(folder, *names):
    found = {}
    for name in names:
        for parent, _, files in os.walk(folder / name):
            for file in files:
                path = os.path.join(parent, file)
                with open(path, "rb") as opened:
                    digest = hashlib.sha256(opened.read()).hexdigest()
                found[os.path.relpath(path, folder)] = digest
    return found


def left(folder, work):
    """What a cycle leaves that may not depend on when it was killed."""
    made = folder / work
    serving = ExportFolder(str(made / "serving" / "dmf"))
    data = hashes(made, "examples", *(f"models/{part}/weights" for part in PARTS))
    records = {part: Ledger(str(made / "cycle"), part) for part in PARTS}
    return {
        "data": {name: one for name, one in data.items() if not name.endswith("manifest.json")},
        "versions": {one.number: one.tags for one in serving.versions()},
        "labels": dict(Rollout.read(serving.path, serving.name).labels),
        "damage": [one.damage() for one in serving.versions()],
        "steps": {
            part: [one.done(name) is not None for name in NAMES] for part, one in records.items()
        },
        "caches": {
            name: one
            for name, one in hashes(made, "projections").items()
            if name.endswith((".parquet", ".npy", ".bin"))
        },
    }


@pytest.mark.slow(seconds=350)
@pytest.mark.guarantee("killed", "cycle")
def test_a_killed_cycle_goes_on_and_ends_with_the_same_bytes(folder, kills):
    finish(start(folder, "whole"))
    expected = left(folder, "whole")
    assert expected["versions"].keys() == {1, 2} and expected["labels"]["stable"] == 2
    rng = random.Random(0)
    killed = 0
    while killed < max(2, kills // 10):
        process = start(folder, "killed")
        if not kill_after(process, rng.uniform(3, LONGEST)):
            assert process.returncode == 0
            break
        killed += 1
    assert killed
    finish(start(folder, "killed"))
    found = left(folder, "killed")
    assert found.keys() == expected.keys()
    for what, values in expected.items():
        # Of hundreds of files, those that differ.
        assert found[what] == values, _differing(found[what], values)


def _differing(found, expected):
    if not isinstance(expected, dict):
        return ""
    return sorted(name for name in found | expected if found.get(name) != expected.get(name))
