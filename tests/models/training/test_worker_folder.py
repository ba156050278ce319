"""Folders of workers are gone when they end, and those of killed ones when the next one starts."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

PROGRAM = """
import sys
from models.training import worker_folder
folder = worker_folder.make()
open(folder + "/step-0.index", "w").close()
print(folder, flush=True)
sys.stdin.readline()
"""


def started(temporary: Path) -> tuple[subprocess.Popen, Path]:
    environment = {**os.environ, "TMPDIR": str(temporary)}
    worker = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return worker, Path(worker.stdout.readline().strip())


def test_a_worker_removes_its_folder_and_those_of_killed_ones(tmp_path: Path) -> None:
    (tmp_path / "worker-mine").mkdir()
    (killed, left), (running, busy) = started(tmp_path), started(tmp_path)
    killed.kill()
    killed.communicate()
    assert left.is_dir() and busy.is_dir()
    next_one, own = started(tmp_path)
    assert not left.exists() and busy.is_dir() and own.is_dir()
    for worker in (running, next_one):
        worker.communicate("\n")
    assert [path.name for path in tmp_path.iterdir()] == ["worker-mine"]
