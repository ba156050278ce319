"""A join that engines run for tests, and what it published."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.pipeline.join import logs

PARTITIONS = 5
_ITEMS = [f"item-{number}" for number in range(40)]


def jars(engine: str) -> Path:
    """Returns the class path that `make <engine>-jars` fetched; skips the test without one."""
    folder = REPOSITORY / "build" / engine / "jars"
    if (folder / ".complete").exists():
        return folder
    message = f"no {engine} at {folder}: 'make test-{engine}' fetches it, with a JDK and Maven"
    if os.environ.get("REQUIRE_ENGINES") == "1":
        pytest.fail(f"{message} (REQUIRE_ENGINES=1)")
    pytest.skip(message)


def write_data(folder: Path) -> Path:
    """Writes a log of four files with request ids, duplicates, bad rows, and two embedding sets."""
    rows = logs.random_rows(11, events=1_500, users=60, items=40, moments=200, request_ids=True)
    for number, change in enumerate(
        [{"user_id": None}, {"item_id": None}, {"timestamp": -1}, {"click": None}, {"rating": None}]
    ):
        rows[100 + 250 * number].update(change)
    logs.write_log(folder / "log", rows, files=4, row_group_size=90)
    times = [0, 1_000_500 * 1_000_000]
    logs.write_embeddings(folder / "text", logs.random_embeddings(1, _ITEMS, 8, times=times))
    logs.write_embeddings(folder / "image", logs.random_embeddings(2, _ITEMS[:30], 5))
    return folder


def join(data: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Joins the data of `write_data`."""
    command = [sys.executable, "-m", "pipeline.build_examples", f"--events={data}/log"]
    command += [f"--embeddings={name}={data}/{name}" for name in ("text", "image")]
    command += ["--behavior_rule=all", "--behavior_type=rating >= 4", "--history_length=8"]
    command.append("--negatives=popularity:1")
    command += [f"--partitions={PARTITIONS}", f"--output={output}", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=600
    )


def join_locally(data: Path) -> dict[str, str]:
    """Returns what the local runner publishes of these data: file to sha256."""
    run = join(data, data / "local")
    assert run.returncode == 0, run.stderr
    published = json.loads((data / "local" / "manifest.json").read_text())
    assert len(published["shards"]) > PARTITIONS, "records in several splits"
    assert sum(published["counts"]["quarantined"].values()) >= 4
    assert published["counts"]["dropped"]["duplicate"] > 100
    return hashes(data / "local")


def hashes(folder: Path) -> dict[str, str]:
    """Returns the sha256 of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
