"""The join's benchmark writes the rows and ratios that docs/benchmarks.md shows."""

import json
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.slow
def test_benchmark_writes_what_is_documented(tmp_path):
    command = [sys.executable, "-m", "benchmarks.join", f"--output={tmp_path / 'join.json'}"]
    command += ["--events=4000", "--rowwise_events=1500", "--large_events=6000", "--items=400"]
    command += ["--dimension=8", "--history_length=5", "--repeats=1", f"--work={tmp_path / 'work'}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "join.json").read_text())
    measured = [(row["way"], row["events"]) for row in result["rows"]]
    assert measured == [
        ("ours", 4000),
        ("rowwise", 1500),
        ("ours", 1500),
        ("ours", 6000),
    ]
    for row in result["rows"]:
        assert {"way", "events", "seconds", "bytes", "peak_mib"} <= set(row)
        assert row["seconds"] > 0 and row["bytes"] > 10_000 and row["peak_mib"] > 100
    ours_row, rowwise, small, large = result["rows"]
    assert ours_row["bytes"] < large["bytes"]
    with open(REPOSITORY / "benchmarks" / "results" / "join.json") as file:
        assert result["ratio_limit"] == json.load(file)["ratio_limit"]
    assert "ratio_limit: not measured in this run" in result["compared"]
    assert result["ratio_bytes"] == pytest.approx(small["bytes"] / rowwise["bytes"])
    assert result["ratio_large"] == pytest.approx(large["seconds"] / ours_row["seconds"])
    assert result["ratio_rowwise"] > 0
    assert {"command", "environment", "parameters", "compared"} <= set(result)
    assert not (tmp_path / "work").exists()
