"""Files of a log: bounded, whole after a kill, and no trouble where a disk takes nothing."""

import errno
import os
import random
import signal
import time

import pytest

from features.records import tfrecord
from serving_signatures.request_logs.log_files import LogFiles
from tests.faults import disks


def write_until_killed(folder, progress):
    """Writes records of many sizes, and after each says how many there are."""
    files = LogFiles(str(folder), 1 << 20, 1000)
    number = 0
    while True:
        files.append(b"%d " % number + b"x" * (number * 7919 % 200_000))
        number += 1
        os.write(progress, b"%d\n" % number)


def records(folder):
    """Returns the records of each file, the oldest file first, and the problems."""
    found, problems = [], []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            frames = list(tfrecord.whole_records(file, path.stat().st_size))
        found.append([frame.record for frame in frames if frame.problem is None])
        problems += [frame.problem for frame in frames if frame.problem is not None]
    return found, problems


def test_files_are_bounded_in_size_and_number_and_the_oldest_goes(tmp_path):
    files = LogFiles(str(tmp_path), 200, 3)
    for number in range(100):
        files.append(b"%03d" % number + bytes(30))
        assert len(list(tmp_path.iterdir())) <= 3
        assert all(path.stat().st_size <= 200 for path in tmp_path.iterdir())
    files.close()
    kept = sorted(int(one[:3]) for part in records(tmp_path)[0] for one in part)
    assert kept[-1] == 99
    assert len(kept) > 8


def test_a_record_larger_than_a_file_is_refused_and_the_next_is_written(tmp_path):
    files = LogFiles(str(tmp_path), 100, 2)
    with pytest.raises(OSError, match="a record of 116 B"):
        files.append(bytes(100))
    files.append(b"small")
    assert records(tmp_path) == ([[b"small"]], [])


@pytest.mark.guarantee("foreign", "serve_local")
def test_only_own_names_are_removed_and_no_file_that_is_written(tmp_path):
    (tmp_path / "requests.tfrecord").write_bytes(b"a user's")
    (tmp_path / "requests-20260501T000000-host-1-zz.tfrecord").write_bytes(b"a user's too")
    left = tmp_path / "requests-20260501T000000-host-1-0123abcd.tfrecord"
    left.write_bytes(b"")
    first, second = (LogFiles(str(tmp_path), 1000, 1) for _ in range(2))
    first.append(b"first")
    assert not left.exists()
    second.append(b"second")
    first.append(b"first again")
    found = [one for part in records(tmp_path)[0] for one in part]
    assert sorted(found) == [b"first", b"first again", b"second"]
    first.close()
    second.close()
    LogFiles(str(tmp_path), 1000, 1).append(b"third")
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_was_moved_away_is_not_written_any_more(tmp_path):
    files = LogFiles(str(tmp_path / "log"), 1000, 5)
    files.append(b"first")
    (path,) = (tmp_path / "log").iterdir()
    path.rename(tmp_path / "collected.tfrecord")
    files.append(b"second")
    assert records(tmp_path / "log") == ([[b"second"]], [])


@pytest.mark.guarantee("killed", "serve_local")
def test_a_kill_at_any_moment_leaves_every_record_that_was_written(tmp_path):
    rng = random.Random(0)
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                write_until_killed(folder, writer)
            finally:
                os._exit(1)
        os.close(writer)
        with open(reader, "rb") as progress:
            assert progress.readline() == b"1\n"
            time.sleep(rng.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            said = progress.read().split(b"\n")[:-1]
        os.waitpid(child, 0)
        found, problems = records(folder)
        numbers = [int(one.split()[0]) for part in found for one in part]
        # Files of one second are in any order.
        assert sorted(numbers) == list(range(len(numbers)))
        assert len(numbers) >= int(said[-1] if said else 1)
        assert problems in ([], [tfrecord.Problem.TORN])


def test_a_full_disk_takes_whole_records_only_and_is_used_again(tmp_path):
    with disks.small_disk(1) as disk:
        files = LogFiles(str(disk / "log"), 1 << 19, 4)
        files.append(b"first")
        disks.fill(disk, 0)
        for size in (10_000, 100, 300_000, 100):
            with pytest.raises(OSError) as raised:
                files.append(bytes(size))
            assert raised.value.errno == errno.ENOSPC
        disks.fill(disk, 1 << 18)
        files.append(b"again")
        with pytest.raises(OSError, match="No space"):
            files.append(bytes(300_000))
        found, problems = records(disk / "log")
        assert found[0] == [b"first"]
        assert b"again" in [one for part in found for one in part]
        assert problems == []


def test_a_read_only_folder_is_an_error_of_each_record(tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    files = LogFiles(str(folder), 1000, 4)
    with disks.read_only(folder):
        for _ in range(2):
            with pytest.raises(OSError):
                files.append(b"x")
    files.append(b"x")
    assert records(folder) == ([[b"x"]], [])


@pytest.mark.parametrize("arguments", [("s3://bucket/log", 1, 1), ("a", 0, 1), ("a", 1, 0)])
def test_what_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match=r"local folder|at least 1"):
        LogFiles(*arguments)
