"""A version is whole or not there: with several exporters, and with kill -9."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from features.errors import UserInputError
from features.files import manifest, staging
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import (
    ExportedVersion,
    check_files,
    list_files,
)
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


@pytest.mark.guarantee("foreign", "export")
def test_what_killed_jobs_leave_goes_and_what_others_put_there_stays(tmp_path):
    exports.publish(tmp_path)
    for name in (".removed-x", ".building-x"):
        staging.begin(str(tmp_path / name))
    theirs = [".building-site", ".removed-walls", "mine"]
    for name in theirs:
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan").touch()
    for name in ("models.config.0a.tmp", "models.config", "note.tmp", ".building-y.lock"):
        (tmp_path / name).touch()
    ExportFolder(str(tmp_path)).clean()
    assert exports.hidden(tmp_path) == sorted([*theirs, "models.config", "note.tmp"])


@pytest.mark.guarantee("replaced", "export")
def test_what_changes_after_it_was_verified_is_not_published(tmp_path):
    folder = ExportFolder(str(tmp_path))
    with folder.workspace() as workspace:
        weights = os.path.join(workspace, "saved_model", "variables")
        os.makedirs(weights)
        with open(os.path.join(weights, "data"), "w") as file:
            file.write("proven")
        verified = list_files(os.path.join(workspace, "saved_model"))
        with open(os.path.join(weights, "data"), "w") as file:
            file.write("others")
        with pytest.raises(UserInputError, match="'variables/data' of the new version was changed"):
            folder.publish(os.path.join(workspace, "saved_model"), {"tags": {}}, verified)
    assert exports.hidden(tmp_path) == []
    assert folder.found() == {}


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"files": {"saved_model.pb": {"bytes": 1}}}, "files.saved_model.pb.sha256"),
        ({"files": {"saved_model.pb": {"bytes": -1, "sha256": ""}}}, "files.saved_model.pb.bytes"),
        ({"files": {"../other": {"bytes": 1, "sha256": ""}}}, "names the file '../other'"),
        ({"files": 3}, "files"),
        ({"tags": {"id_tag": 3}}, "tags.id_tag"),
        ({"caches": {"id_tag": "valid"}}, "caches.id_tag"),
        ({"parity": {"max_abs_diff": "none"}}, "parity.max_abs_diff"),
        ({"created": None}, "created"),
    ],
    ids=str,
)
def test_a_manifest_of_another_structure_is_refused_by_name(tmp_path, values, place):
    path = tmp_path / "1" / "assets.extra" / "manifest.json"
    version = exports.publish(tmp_path)
    as_earlier_releases_wrote_it = {
        name: value
        for name, value in version.manifest.items()
        if name not in ("checksum", "manifest_version")
    }
    path.write_text(json.dumps({**as_earlier_releases_wrote_it, **values}))
    with pytest.raises(UserInputError, match=re.escape(place)) as raised:
        ExportedVersion.read(str(tmp_path / "1"))
    assert str(path) in str(raised.value)
    assert isinstance(ExportFolder(str(tmp_path)).found()[1], UserInputError)


DAMAGES = ("byte", "absence", "end", "other")


def damage_at_random(random, folder):
    """Damages a file of a version; returns its name, and what undoes it."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    path, other = random.choice(len(files), 2, replace=False)
    path, other = files[path], files[other]
    before, after = path.read_bytes(), other.read_bytes()
    how = DAMAGES[random.integers(len(DAMAGES))]
    if how == "byte":
        changed = bytearray(before)
        changed[random.integers(len(changed))] ^= random.integers(1, 256)
        path.write_bytes(changed)
    elif how == "absence":
        path.unlink()
    elif how == "end":
        path.write_bytes(before[: random.integers(len(before))])
    else:
        path.write_bytes(after)

    def undo():
        path.write_bytes(before)

    return str(path.relative_to(folder)), undo


def test_any_damage_is_found_by_name(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "1"
    exports.publish(tmp_path)
    for number, name in enumerate(exports.FILES):
        (folder / name).write_text(f"{number}" * 50)
    values = dict(ExportedVersion.read(str(folder)).manifest, files=None)
    (folder / "assets.extra" / "manifest.json").unlink()
    values["files"] = list_files(str(folder))
    manifest.write_manifest(str(folder / "assets.extra"), values)
    check_files(str(folder))
    for _ in range(400):
        name, undo = damage_at_random(random, folder)
        try:
            found = ExportedVersion.read(str(folder)).damage()
        except UserInputError as error:
            assert "manifest.json" in name
            found = [str(error)]
        assert name in found[0]
        undo()
    check_files(str(folder))


@pytest.mark.guarantee("foreign", "export")
def test_a_number_that_a_stranger_takes_meanwhile_is_left_to_it(tmp_path):
    assert exports.publish(tmp_path, kind=Raced).number == 2
    assert os.listdir(tmp_path / "1") == ["theirs"]


@pytest.mark.guarantee("two at once", "export")
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


@pytest.mark.guarantee("killed", "export")
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
