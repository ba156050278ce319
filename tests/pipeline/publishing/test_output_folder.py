"""Two jobs on one local output do not destroy each other's work."""

import os
import signal
import subprocess
import sys

import pytest

from features.errors import UserInputError
from features.files import manifest
from pipeline.publishing.output_folder import OutputFolder

HOLDER = """
import sys, time
from pipeline.publishing.output_folder import OutputFolder
output = OutputFolder(sys.argv[1])
output.begin()
open(output.staging + "/shard", "w").write("work of hours")
print("building", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that builds `tmp_path/out`."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "building\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_job_is_refused_and_told_of_the_first(tmp_path, holder):
    output = OutputFolder(str(tmp_path / "out"))
    with pytest.raises(UserInputError, match=f"being written by process {holder.pid} on"):
        output.begin()
    output.release()
    assert (tmp_path / "out.building" / "shard").read_text() == "work of hours"
    with pytest.raises(UserInputError, match="being written by"):
        OutputFolder(str(tmp_path / "out")).begin()


def test_a_killed_job_does_not_block_the_next(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "out.lock").exists()
    output = OutputFolder(str(tmp_path / "out"))
    output.begin()
    assert os.listdir(output.staging) == []
    output.complete({"a": 1})
    output.release()
    assert os.listdir(tmp_path) == ["out"]


def test_what_was_published_meanwhile_is_not_touched(tmp_path):
    first, second = (OutputFolder(str(tmp_path / "out")) for _ in range(2))
    assert first.is_free() and second.is_free()
    first.begin()
    first.complete({"a": 1})
    first.release()
    with pytest.raises(UserInputError, match="by another job meanwhile"):
        second.begin()
    assert manifest.read_manifest(str(tmp_path / "out"))["a"] == 1
    assert os.listdir(tmp_path) == ["out"]
