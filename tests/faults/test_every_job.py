"""Each job that writes, on a disk that fills, and killed as it publishes."""

import os

import pytest

from features.files import locks
from tests import faults
from tests.faults import jobs

MIB = 1 << 20
MOMENTS = (
    *("before os:rename 1 *out*", "after os:rename 1 *out*"),
    *("before os:replace 1 *out*", "after os:replace 1 *out*"),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    jobs.make_world(folder)
    return folder


def files(folder):
    """Returns the files below a folder; TensorBoard's have the time and a number in their names."""
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, names in os.walk(folder)
        for name in names
        if name != ".filler" and "tfevents" not in name
    )


def size(folder):
    """Returns the bytes that a folder takes, in pages."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return sum(4096 + -(-path.stat().st_size // 4096) * 4096 for path in paths)


def check_sentence(done, may_fit):
    """Holds the end of a job to a sentence."""
    if done.returncode or not may_fit:
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        last = [line for line in done.stderr.splitlines() if line][-1]
        assert last.startswith("Error: ") and "room" in last


@pytest.mark.slow(seconds=40)
@pytest.mark.guarantee("full disk", "simulate", "convert", "inspect_data", "ingest_embeddings")
@pytest.mark.guarantee("full disk", "build_examples", "build_vocabulary", "train", "evaluate")
@pytest.mark.guarantee("full disk", "export", "check_skew", "backfill")
@pytest.mark.parametrize("job", jobs.ARGUMENTS)
def test_a_disk_that_fills_while_a_job_runs(job, world):
    with faults.small_disk(64) as disk:
        # Where the disk has room, a link is followed and stays.
        (disk / "target").mkdir()
        (disk / "out").symlink_to("target")
        done = jobs.run(job, world, disk / "out")
        assert done.returncode == 0, done.stderr
        assert (disk / "out").is_symlink()
        whole, needed = files(disk / "target"), size(disk / "target")
    for share in (0.3, 0.95):
        with faults.small_disk(64) as disk:
            left = max(int(share * needed), 4096)
            faults.fill(disk, left)
            # A folder may take a page less than was counted.
            may_fit = share > 0.9 or left + 8192 > needed
            check_sentence(jobs.run(job, world, disk / "out"), may_fit)
            faults.fill(disk, 32 * MIB)
            done = jobs.run(job, world, disk / "out")
            assert done.returncode == 0, done.stderr
            assert files(disk / "out") == whole
            assert files(disk) == [f"out/{name}" for name in whole]


@pytest.mark.slow(seconds=20)
@pytest.mark.guarantee("killed", "simulate", "convert", "inspect_data", "ingest_embeddings")
@pytest.mark.guarantee("killed", "build_vocabulary", "evaluate", "check_skew")
@pytest.mark.parametrize(
    "job",
    [
        *("simulate", "convert", "inspect_data", "ingest_embeddings", "build_vocabulary"),
        *("evaluate", "check_skew"),
    ],
)
def test_a_job_that_is_killed_as_it_publishes(job, world, tmp_path):
    whole = tmp_path / "whole" / "out"
    assert jobs.run(job, world, whole).returncode == 0
    kills = 0
    for number, moment in enumerate(MOMENTS):
        folder = tmp_path / str(number)
        done = jobs.run(job, world, folder / "out", env=faults.environment(f"kill {moment}"))
        kills += done.returncode == -9
        done = jobs.run(job, world, folder / "out")
        assert done.returncode == 0, done.stderr
        assert files(folder) == files(whole.parent)
    assert kills


@pytest.mark.slow(seconds=5)
@pytest.mark.guarantee("two at once", "simulate", "convert", "ingest_embeddings", "backfill")
@pytest.mark.guarantee("two at once", "build_examples", "build_vocabulary")
@pytest.mark.parametrize(
    "job",
    [
        *("simulate", "convert", "ingest_embeddings", "backfill"),
        *("build_examples", "build_vocabulary"),
    ],
)
def test_the_second_of_two_jobs_names_the_first(job, world, tmp_path):
    with locks.locked(str(tmp_path / "out")):
        done = jobs.run(job, world, tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert f"'{tmp_path}/out' is being written by process {os.getpid()} on " in done.stderr
    assert "Traceback" not in done.stderr
    assert files(tmp_path) == []
