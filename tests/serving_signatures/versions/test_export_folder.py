"""A version is whole or not there: with several exporters, and with kill -9."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from features.errors import UserInputError
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import ExportedVersion
from tests.conftest import REPOSITORY
from tests.serving_signatures import exports


def exporter(path, name, count=1, seconds=0.01):
    command = [sys.executable, "-m", "tests.serving_signatures.exports"]
    return subprocess.Popen(
        [*command, str(path), name, str(count), str(seconds)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )


def assert_whole(path):
    """Every number is a whole version of a single exporter."""
    numbers = sorted(int(name) for name in os.listdir(path) if name.isdecimal())
    versions = ExportFolder(str(path)).versions()
    assert [version.number for version in versions] == numbers
    for version in versions:
        assert version.damage() == []
        assert len(exports.contents(version)) == 1
    return versions


def test_a_version_is_what_was_built_and_its_manifest_says_so(tmp_path):
    version = exports.publish(tmp_path / "ctr", "first")
    assert version.folder == str(tmp_path / "ctr" / "1")
    assert exports.contents(version) == {"first"}
    assert set(version.manifest["files"]) == set(exports.FILES)
    assert version.manifest["created"] == "2026-05-01T00:00:00+00:00"
    assert version.bytes == 3 * len("first")
    assert exports.publish(tmp_path / "ctr", "second").number == 2
    assert exports.hidden(tmp_path / "ctr") == []


def test_a_remote_folder_is_refused():
    with pytest.raises(UserInputError, match="s3://bucket/ctr' is remote, expected a local folder"):
        ExportFolder("s3://bucket/ctr")


def test_a_version_appears_by_a_rename(tmp_path):
    folder = ExportFolder(str(tmp_path))
    with folder.workspace() as workspace:
        saved_model = os.path.join(workspace, "saved_model")
        os.mkdir(saved_model)
        built = os.stat(saved_model).st_ino
        version = folder.publish(saved_model, {"tags": {}})
    assert os.stat(version.folder).st_ino == built


def test_what_fails_while_it_is_built_leaves_the_last_version_and_nothing_else(tmp_path):
    exports.publish(tmp_path, "good")
    folder = ExportFolder(str(tmp_path))
    with pytest.raises(RuntimeError, match="gate"), folder.workspace() as workspace:
        os.makedirs(os.path.join(workspace, "saved_model"))
        raise RuntimeError("gate")
    (version,) = assert_whole(tmp_path)
    assert exports.contents(version) == {"good"}
    assert exports.hidden(tmp_path) == []


@pytest.mark.parametrize(
    ("damaging", "message"),
    [
        (lambda path: path.write_text("yy"), "has 2 bytes instead of 1"),
        (lambda path: path.write_text("y"), "has another sha256"),
        (lambda path: path.unlink(), "is missing"),
    ],
    ids=["size", "content", "absence"],
)
def test_damage_is_found(tmp_path, damaging, message):
    version = exports.publish(tmp_path)
    damaging(tmp_path / "1" / "variables" / "variables.data")
    assert version.damage() == [f"variables/variables.data {message}"]
    assert bool(version.damage(contents=False)) == ("sha256" not in message)


def test_what_others_put_there_is_no_version_of_ours_and_keeps_its_number(tmp_path):
    (tmp_path / "7" / "variables").mkdir(parents=True)
    (tmp_path / "old").mkdir()
    assert ExportFolder(str(tmp_path)).versions() == []
    assert exports.publish(tmp_path).number == 8
    with pytest.raises(UserInputError, match=r"version 3; it has \[7, 8\]"):
        ExportFolder(str(tmp_path)).version(3)


def test_a_living_exporters_work_is_not_a_leftover(tmp_path):
    with ExportFolder(str(tmp_path)).workspace() as workspace:
        exports.publish(tmp_path)
        ExportFolder(str(tmp_path)).clean()
        assert os.path.isdir(workspace)
    assert exports.hidden(tmp_path) == []


class Raced(ExportFolder):
    """A program that knows nothing of the lock takes the number that was free a moment ago."""

    def _numbers(self):
        found = super()._numbers()
        if not found:
            os.makedirs(os.path.join(self.path, "1", "theirs"))
        return found


def test_what_killed_jobs_leave_goes_and_what_others_put_there_stays(tmp_path):
    exports.publish(tmp_path)
    for name in (".removed-1-x", ".building-x", "mine"):
        (tmp_path / name).mkdir()
    for name in ("models.config.0a.tmp", "models.config", "note.tmp"):
        (tmp_path / name).touch()
    ExportFolder(str(tmp_path)).clean()
    assert exports.hidden(tmp_path) == ["mine", "models.config", "note.tmp"]


def test_a_number_that_a_stranger_takes_meanwhile_is_left_to_it(tmp_path):
    assert exports.publish(tmp_path, kind=Raced).number == 2
    assert os.listdir(tmp_path / "1") == ["theirs"]


def test_exporters_at_once_each_get_a_whole_version_though_one_is_killed(tmp_path):
    processes = [exporter(tmp_path, name, count=8) for name in ("a", "b", "c")]
    victim = exporter(tmp_path, "victim", count=1000)
    while victim.stdout.readline() != "2\n":
        pass
    time.sleep(0.015)
    victim.send_signal(signal.SIGKILL)
    for process in [*processes, victim]:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]
    found = [exports.contents(version).pop() for version in assert_whole(tmp_path)]
    assert len(found) == len(set(found))
    assert {f"{name}-{number}" for name in "abc" for number in range(8)} <= set(found)
    assert {f"victim-{number}" for number in range(3)} <= set(found)
    exports.publish(tmp_path)
    assert exports.hidden(tmp_path) == []


def test_killed_at_any_moment_the_last_version_is_whole_and_the_next_export_works(tmp_path):
    random = np.random.default_rng(0)
    exports.publish(tmp_path, "first")
    left = 0
    for kill in range(12):
        before = len(assert_whole(tmp_path))
        process = exporter(tmp_path, f"killed-{kill}", count=1000, seconds=0.002)
        process.stdout.readline()
        time.sleep(random.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left += len(exports.hidden(tmp_path))
        assert len(assert_whole(tmp_path)) > before
    assert left > 0, "no kill met an export in the making"
    exports.publish(tmp_path, "last")
    assert exports.contents(assert_whole(tmp_path)[-1]) == {"last"}
    assert exports.hidden(tmp_path) == []


def test_a_reader_never_sees_half_a_version(tmp_path):
    seen, halves, stop = set(), [], threading.Event()

    def read():
        while not stop.is_set():
            for name in filter(str.isdecimal, os.listdir(tmp_path)):
                try:
                    version = ExportedVersion.read(str(tmp_path / name))
                    halves.extend(version.damage())
                    seen.add(version.number)
                except UserInputError as error:
                    halves.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(15):
        exports.publish(tmp_path, str(number), seconds=0.001)
    stop.set()
    reader.join()
    assert halves == []
    assert seen and seen <= set(range(1, 16))
