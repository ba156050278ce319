"""The benchmark of scale writes the rows and ratios that docs/benchmarks.md shows."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.slow
def test_benchmark_writes_what_is_documented(tmp_path):
    command = [sys.executable, "-m", "benchmarks.scale", f"--output={tmp_path / 'scale.json'}"]
    command += ["--sizes=10000,30000", "--history_length=5", "--repeats=1"]
    command += [f"--work={tmp_path / 'work'}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "scale.json").read_text())
    measured = [(row["way"], row["events"]) for row in result["rows"]]
    assert measured == [("default", 10_000), ("default", 30_000), ("one process", 30_000)]
    for row in result["rows"]:
        assert row["candidates"] == row["events"]
        assert row["seconds"] > 0 and row["bytes"] > 10_000 and row["peak_mib"] > 100
    small, large, alone = result["rows"]
    (step,) = result["steps"]
    assert step["seconds"] == pytest.approx(large["seconds"] / small["seconds"])
    assert result["speed_over_one_process"] == pytest.approx(alone["seconds"] / large["seconds"])
    assert result["same_bytes"]
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["log-10000", "log-30000"]
