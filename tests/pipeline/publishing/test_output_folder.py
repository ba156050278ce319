"""Two jobs on one local output do not destroy each other's work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from features.errors import UserInputError
from features.files import manifest, staging
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
    assert os.listdir(output.staging) == [staging.MARKER]
    output.complete({"a": 1})
    output.release()
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out") == [manifest.FILE_NAME]


@pytest.mark.parametrize("name", ["out.building", "out.rejected"])
@pytest.mark.guarantee("foreign", "simulate", "convert", "build_examples", "build_vocabulary")
def test_a_folder_of_the_user_is_not_removed_whatever_its_name(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "thesis.txt").write_text("years of work")
    with pytest.raises(UserInputError, match=f"{name}' is in the way: jobs use this name"):
        OutputFolder(str(tmp_path / "out")).begin()
    assert (tmp_path / name / "thesis.txt").read_text() == "years of work"


def test_what_a_failed_job_left_is_removed_once_another_succeeds(tmp_path):
    output = OutputFolder(str(tmp_path / "out"))
    output.begin()
    quarantine = os.path.join(output.staging, "quarantine")
    os.mkdir(quarantine)
    Path(quarantine, "rows.jsonl").write_text("{}\n")
    assert output.abandon() == str(tmp_path / "out.rejected" / "quarantine")
    output.release()
    assert os.listdir(tmp_path) == ["out.rejected"]
    output = OutputFolder(str(tmp_path / "out"))
    output.begin()
    output.complete({})
    output.release()
    assert os.listdir(tmp_path) == ["out"]


def test_the_target_of_a_link_is_published_and_the_link_stays(tmp_path):
    (tmp_path / "disk" / "data").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "data")
    output = OutputFolder(str(tmp_path / "out"))
    output.begin()
    assert Path(output.staging).parent == tmp_path / "disk"
    output.complete({"a": 1})
    output.release()
    assert (tmp_path / "out").is_symlink()
    assert manifest.read_manifest(str(tmp_path / "out"))["a"] == 1
    assert os.listdir(tmp_path / "disk") == ["data"]


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
