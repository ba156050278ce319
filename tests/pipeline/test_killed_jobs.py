"""A join that is killed at any moment publishes nothing, and run again has the same bytes.

`make test PYTEST_ARGS="tests/pipeline/test_killed_jobs.py --kills=200"` kills ten times as often.
"""

import hashlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.pipeline import logs

pytestmark = pytest.mark.slow

KILLS_IN_A_ROW = 5
SPLITS = "train:..1000500,test:1000500.."


def command(data, output, *more):
    return [
        *(sys.executable, "-m", "pipeline.build_examples", f"--output={output}"),
        *(f"--embeddings=text={data / 'text'}", "--partitions=4", f"--splits={SPLITS}", *more),
    ]


def run(arguments):
    done = subprocess.run(arguments, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def kill_after(arguments, seconds):
    """Kills the job with SIGKILL; returns whether it was still running."""
    job = subprocess.Popen(
        arguments, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        job.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        job.send_signal(signal.SIGKILL)
        job.wait()
        return True
    return False


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two days of a log with bad rows and duplicates, and vectors."""
    folder = tmp_path_factory.mktemp("data")
    for day in (0, 1):
        rows = logs.random_rows(day, events=8_000, users=300, items=50, moments=50)
        for row in rows:
            row["timestamp"] += 1_000 * day
        for number in range(0, 8_000, 400):
            rows[number]["user_id"] = None
        logs.write_log(folder / f"day-{day}", rows, files=4, row_group_size=500)
    items = [f"item-{number}" for number in range(50)]
    logs.write_embeddings(folder / "text", logs.random_embeddings(0, items, 64))
    return folder


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    """What an undisturbed join writes, and how long it takes, a start of Python included."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    arguments = command(data, output, f"--events={data / 'day-0'}", "--max_bad_fraction=0.1")
    started = time.monotonic()
    run(arguments)
    return hashes(output), time.monotonic() - started


def test_killed_join_publishes_nothing_and_runs_again(data, undisturbed, tmp_path, kills):
    expected, seconds = undisturbed
    random = np.random.default_rng(0)
    killed = 0
    for attempt in range(0, kills, KILLS_IN_A_ROW):
        output = tmp_path / str(attempt) / "out"
        arguments = command(data, output, f"--events={data / 'day-0'}", "--max_bad_fraction=0.1")
        for _ in range(min(KILLS_IN_A_ROW, kills - attempt)):
            running = kill_after(arguments, random.uniform(0.2, 1.0) * seconds)
            killed += running
            # It is there whole or not at all: the last moments may be after the renaming.
            assert not output.exists() or hashes(output) == expected
        run(arguments)
        assert hashes(output) == expected
        assert sorted(path.name for path in output.parent.iterdir()) == ["out"]
    assert killed >= kills // 2


def test_killed_part_leaves_the_data_set_as_it_was(data, tmp_path, kills):
    first = ["--part=d0", f"--events={data / 'day-0'}", "--max_bad_fraction=0.1"]
    second = ["--part=d1", f"--events={data / 'day-1'}", "--max_bad_fraction=0.1"]
    whole = tmp_path / "whole"
    run(command(data, whole, *first))
    before = hashes(whole)
    started = time.monotonic()
    run(command(data, whole, *second))
    seconds, after = time.monotonic() - started, hashes(whole)
    output, random = tmp_path / "out", np.random.default_rng(1)
    run(command(data, output, *first))
    for _ in range(max(3, kills // 5)):
        kill_after(command(data, output, *second), random.uniform(0.2, 1.0) * seconds)
        found = hashes(output)
        # What the manifest names is unchanged, or the part is in it; nothing else counts.
        assert found["manifest.json"] in (before["manifest.json"], after["manifest.json"])
        assert {name: found[name] for name in before if name != "manifest.json"} == {
            name: before[name] for name in before if name != "manifest.json"
        }
    run(command(data, output, *second))
    assert hashes(output) == after
