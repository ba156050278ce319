"""What the start of Beam's job servers says when something is missing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 64, "the first argument must be flink or spark, received ''"),
        (["--job-port=0"], 64, "must be flink or spark, received '--job-port=0'"),
        (["flink"], 69, "build/flink/jars: run 'make flink-jars'"),
        (["spark", "--job-port=0"], 69, "build/spark/jars: run 'make spark-jars'"),
    ],
)
def test_a_start_without_engine_or_class_path_says_so(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    shutil.copytree(REPOSITORY / "docker", tmp_path / "docker")
    command = ["sh", "docker/job_server.sh", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (run.returncode, run.stdout) == (code, "")
    assert message in run.stderr
