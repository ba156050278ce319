"""A join that is killed, or loses an input, publishes nothing, and run again has the same bytes.

`make test-slow PYTEST_ARGS="tests/pipeline/join/test_killed_jobs.py --kills=200"`: more kills.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.pipeline.join import logs

pytestmark = pytest.mark.slow(seconds=100)

CONSECUTIVE_KILLS = 5
SPLITS = "train:..1000500,test:1000500.."


def command(data, output, *more):
    return [
        *(sys.executable, "-m", "pipeline.build_examples", f"--output={output}"),
        *(f"--embeddings=text={data / 'text'}", "--partitions=4", f"--splits={SPLITS}", *more),
    ]


def run(arguments):
    done = subprocess.run(arguments, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Killer:
    """Kills jobs with SIGKILL at random moments of the fastest run so far.

    Args:
      seed: of the moments.
      seconds: how long a run takes.

    Attributes:
      killed: how many were still running.
    """

    def __init__(self, seed, seconds):
        self._random, self._seconds = np.random.default_rng(seed), seconds
        self.killed = 0

    def run(self, arguments):
        started = time.monotonic()
        job = subprocess.Popen(
            arguments, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            job.wait(timeout=self._random.uniform(0.2, 1.0) * self._seconds)
            # It was done before its moment came: on a machine that is less busy than before.
            self._seconds = min(self._seconds, time.monotonic() - started)
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGKILL)
            job.wait()
            self.killed += 1


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


@pytest.mark.guarantee("killed", "build_examples")
def test_killed_join_publishes_nothing_and_runs_again(data, undisturbed, tmp_path, kills):
    expected, seconds = undisturbed
    killer, attempt = Killer(0, seconds), 0
    while killer.killed < kills and attempt < kills:
        attempt += 1
        output = tmp_path / str(attempt) / "out"
        arguments = command(data, output, f"--events={data / 'day-0'}", "--max_bad_fraction=0.1")
        for _ in range(min(CONSECUTIVE_KILLS, kills - killer.killed)):
            killer.run(arguments)
            # It is there whole or not at all: the last moments may be after the renaming.
            assert not output.exists() or hashes(output) == expected
        run(arguments)
        assert hashes(output) == expected
        assert sorted(path.name for path in output.parent.iterdir()) == ["out"]
    assert killer.killed == kills


@pytest.mark.guarantee("killed", "build_examples")
def test_killed_part_leaves_the_data_set_as_it_was(data, tmp_path, kills):
    first = ["--part=d0", f"--events={data / 'day-0'}", "--max_bad_fraction=0.1"]
    second = ["--part=d1", f"--events={data / 'day-1'}", "--max_bad_fraction=0.1"]
    whole = tmp_path / "whole"
    run(command(data, whole, *first))
    before = hashes(whole)
    started = time.monotonic()
    run(command(data, whole, *second))
    seconds, after = time.monotonic() - started, hashes(whole)
    output, killer = tmp_path / "out", Killer(1, seconds)
    run(command(data, output, *first))
    for _ in range(max(3, kills // 5)):
        killer.run(command(data, output, *second))
        found = hashes(output)
        # What the manifest names is unchanged, or the part is in it; nothing else counts.
        assert found["manifest.json"] in (before["manifest.json"], after["manifest.json"])
        assert {name: found[name] for name in before if name != "manifest.json"} == {
            name: before[name] for name in before if name != "manifest.json"
        }
    run(command(data, output, *second))
    assert hashes(output) == after


@pytest.mark.parametrize("more", [[], ["--embedding_strategy=shuffle"], ["--statistics=click"]])
def test_a_join_whose_input_is_replaced_publishes_the_one_or_the_other(data, tmp_path, kills, more):
    log, output = tmp_path / "log", tmp_path / "out"
    arguments = command(data, output, f"--events={log}", "--max_bad_fraction=0.1", *more)
    versions, seconds = [], 0.0
    for day in ("day-1", "day-0"):
        shutil.copytree(data / "day-0", log, dirs_exist_ok=True)
        shutil.copyfile(data / day / "part-1.parquet", log / "part-1.parquet")
        started = time.monotonic()
        run(arguments)
        seconds = time.monotonic() - started
        versions.append(hashes(output))
        shutil.rmtree(output)
    random = np.random.default_rng(2)
    for _ in range(max(2, kills // 6)):
        shutil.copyfile(data / "day-0" / "part-1.parquet", log / "part-1.parquet")
        shutil.copyfile(data / "day-1" / "part-1.parquet", tmp_path / "other")
        job = subprocess.Popen(
            arguments, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        time.sleep(random.uniform(0.3, 0.9) * seconds)
        os.replace(tmp_path / "other", log / "part-1.parquet")
        _, errors = job.communicate()
        if job.returncode == 0:
            # It was replaced before the first look or after the last.
            assert hashes(output) in versions
            shutil.rmtree(output)
        else:
            assert job.returncode == 2, errors
            assert f"'{log / 'part-1.parquet'}' changed while it was read" in errors
            assert not output.exists()
    run(arguments)
    assert hashes(output) == versions[0]
