"""Healthy jobs, with an environment as a user has it, print lines of this project and no others."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.pipeline.training_runs import every_model
from tests.server_process import free_port

OURS = re.compile(
    r"(Plan|Catalog|Version \d+|Report|Trained \w+|test|train|validation|id_projections"
    r"|target_aware_projections|Model \w+ on|Serving version|Unloaded version)\b"
    r"|(Partition|Read|Published|Added the|Split|Finishing|Stopped after|After validation) "
    r"|( +auc +gauc|click |conversion )"
    r"|--\w+( \w+)?: |Modality \w+: |Left out of --|Warning: (\d+ candidates|label) "
    r"|Native kernels: "
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("quiet")
    every_model.write_tables(folder)
    return folder


def user_environment() -> dict[str, str]:
    """Returns an environment without what tests and `make` set for TensorFlow."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
    return {**kept, "PYTHONPATH": str(REPOSITORY)}


def foreign(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not OURS.match(line)]


def foreign_lines(*command: str) -> list[str]:
    """Runs a Python command, which must succeed, and returns lines on stderr that are not ours."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY,
        env=user_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return foreign(done.stderr)


@contextlib.contextmanager
def served(saved_model: Path, log: Path):
    """Serves a model, and yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "pipeline.serve_local", f"--saved_model={saved_model}"]
    with log.open("w") as stderr:
        server = subprocess.Popen(
            [*command, f"--port={port}"], cwd=REPOSITORY, env=user_environment(), stderr=stderr
        )
        try:
            while "SIGTERM ends it" not in log.read_text():
                assert server.poll() is None, log.read_text()
                time.sleep(0.2)
            yield f"localhost:{port}"
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0


def test_a_librarys_lines_are_not_ours():
    lines = (
        "2026-11-28 08:17:00.1: E external/local_xla/xla/cuda_fft.cc:479] Unable to register cuFFT "
        "factory",
        "WARNING:root:apitools not found",
        "W0000 00:00:1795853211.1 all log messages before absl::InitializeLog() is called",
        "/venv/lib/python3.11/site-packages/x.py:3: DeprecationWarning: old",
    )
    assert foreign("\n".join(lines)) == list(lines)
    assert foreign("Published out\n\nPlan: 1 partitions\ntrain  50%  step 1/2\n") == []


@pytest.mark.slow(seconds=90)
def test_jobs_from_the_join_to_a_scored_request_print_nothing_of_libraries(folder):
    export = every_model.export(folder, "dmf") + every_model.embeddings(folder)
    version, log = folder / "serving" / "dmf" / "1", folder / "server.log"
    backfill = ["pipeline.backfill", f"--saved_model={version}", f"--items={folder / 'items'}"]
    jobs = [
        every_model.join(folder),
        every_model.train(folder, "dmf"),
        every_model.evaluate(folder, "dmf"),
        export,
        [*backfill, f"--output={folder / 'projections'}"],
    ]
    for job in jobs:
        assert foreign_lines("-m", *job) == [], job[0]
    with served(version.parent, log) as address:
        flags = [f"--server={address}", f"--examples={folder / 'examples'}", "--model=dmf"]
        assert foreign_lines("examples/score.py", *flags) == []
    assert "Serving version 1" in log.read_text()
    assert foreign(log.read_text()) == []
