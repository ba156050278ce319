"""The demo from end to end: its outputs, and that content helps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import quick_python

KEYS = {
    "join": {
        "events_read",
        "requests_written",
        "candidates_written",
        "quarantined",
        "dropped",
        "seconds",
    },
    "train": {"candidates_per_second", "steps", "seconds"},
    "export": {"saved_model", "signatures", "parity_max_abs_diff"},
    "serving": {"candidates", "history_length", "latency_ms"},
}


def _run(output: Path, *arguments: str) -> subprocess.CompletedProcess:
    return quick_python.run_job("pipeline.run", "--output", output, *arguments)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "pipeline.run", "--output", str(output)]
    command += ["--config", "pipeline/configs/demo.py", "--set", "serving.repeats=5"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert "arning" not in run.stderr
    assert "id_only" in run.stdout
    return output


@pytest.mark.slow(seconds=80)
def test_summary_has_what_the_design_promises(demo: Path) -> None:
    summary = json.loads((demo / "summary.json").read_text())
    for section, keys in KEYS.items():
        assert keys <= set(summary[section])
    join = summary["join"]
    assert join["events_read"] == 100_004
    left_out = join["quarantined"] + join["dropped"]
    assert join["events_read"] == join["candidates_written"] + left_out
    assert summary["export"]["parity_max_abs_diff"] <= 1e-5
    assert len(summary["export"]["signatures"]) == 5
    assert set(summary["serving"]["latency_ms"]) == {"id_only", "dmf", "early_fusion"}


@pytest.mark.slow
def test_content_helps(demo: Path) -> None:
    metrics = json.loads((demo / "summary.json").read_text())["metrics"]
    assert set(metrics["dmf"]) == {"auc", "gauc", "logloss", "ne", "calibration"}
    assert metrics["dmf"]["auc"] > metrics["id_only"]["auc"]
    assert metrics["dmf"]["gauc"] > metrics["id_only"]["gauc"]


@pytest.mark.slow
def test_the_run_says_what_carries_and_for_whom(demo: Path) -> None:
    summary = json.loads((demo / "summary.json").read_text())
    first, *rest = summary["findings"]
    assert first.startswith("Content adds to ids: DMF is ahead of ID-only by 0.")
    assert any(one.startswith("Without item ids, DMF ") for one in rest)
    assert sum("Content does most for" in one for one in rest) == 2
    assert not any("no usable content" in one for one in rest)
    report = json.loads((demo / "report.json").read_text())
    figures = report["metrics"]["dmf"]["ablation"]
    metrics = summary["metrics"]
    loss = metrics["dmf"]["gauc"] - metrics["id_only"]["gauc"]
    assert figures["others"]["id_only"]["gauc_loss"] == pytest.approx(loss)
    for page in (demo / "report.html", demo / "models/dmf/report.html"):
        assert first in page.read_text()
    assert summary["phases"]["ablation"] < sum(summary["phases"].values()) / 4


@pytest.mark.slow
def test_report_and_model_are_published(demo: Path) -> None:
    page = (demo / "report.html").read_text()
    assert "DMF" in page and "<svg" in page
    published = os.listdir(demo / "serving" / "dmf")
    assert [name for name in published if not name.startswith(".")] == ["1"]
    assert not list(demo.glob("*.building*"))


@pytest.mark.slow(seconds=60)
def test_run_again_it_trains_nothing_and_other_settings_are_refused(demo: Path) -> None:
    weights = demo / "models/dmf/weights/checkpoint.index"
    summary, trained = (demo / "summary.json").read_bytes(), weights.stat().st_mtime_ns
    other = _run(demo, "--config", "demo", "--set", "training.seed=9")
    assert other.returncode == 2
    assert "seed was 1, now 9" in other.stderr and "--overwrite" in other.stderr
    assert (demo / "summary.json").read_bytes() == summary
    again = _run(demo, "--config", "demo", "--set", "serving.repeats=5")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("holds just this training already") == 2
    assert weights.stat().st_mtime_ns == trained
    before, after = json.loads(summary), json.loads((demo / "summary.json").read_bytes())
    assert (before["metrics"], before["train"]) == (after["metrics"], after["train"])
    assert after["export"]["saved_model"].endswith("serving/dmf/2")


def test_wrong_setting_is_reported_without_a_traceback(tmp_path: Path) -> None:
    run = _run(tmp_path / "out", "--set", "model.haeds=2")
    assert run.returncode == 2
    assert "model.haeds" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()
