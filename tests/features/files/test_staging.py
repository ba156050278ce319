import os
import signal
import subprocess
import sys

import pytest

from features.errors import UserInputError
from features.files import staging, storage
from tests import faults


def test_a_folder_appears_whole_without_mark_and_temporary_files(tmp_path):
    building, target = str(tmp_path / "out.building"), str(tmp_path / "out")
    staging.begin(building)
    os.makedirs(f"{building}/deep")
    for name in ("a", "deep/b", "deep/c.0123.tmp"):
        with open(f"{building}/{name}", "w") as file:
            file.write(name)
    staging.publish(building, target)
    found = sorted(os.path.join(p, n) for p, _, names in os.walk(tmp_path) for n in names)
    assert found == [f"{target}/a", f"{target}/deep/b"]


def test_every_file_and_folder_is_flushed_before_the_rename_and_the_parent_after(
    tmp_path, monkeypatch
):
    building, target = str(tmp_path / "out.building"), str(tmp_path / "out")
    staging.begin(building)
    os.makedirs(f"{building}/deep")
    with open(f"{building}/deep/b", "w") as file:
        file.write("b")
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename
    monkeypatch.setattr(
        os, "fsync", lambda one: (calls.append(os.readlink(f"/proc/self/fd/{one}")), fsync(one))
    )
    monkeypatch.setattr(os, "rename", lambda a, b: (calls.append("rename"), rename(a, b)))
    staging.publish(building, target)
    before, after = calls[: calls.index("rename")], calls[calls.index("rename") + 1 :]
    assert {building, f"{building}/deep", f"{building}/deep/b"} <= set(before)
    assert after == [target, str(tmp_path)]


@pytest.mark.parametrize("point", ["before os:rename", "after os:rename", "after os:remove"])
def test_a_kill_while_it_publishes_blocks_no_job(tmp_path, point):
    building, target = str(tmp_path / "out.building"), str(tmp_path / "out")
    staging.begin(building)
    (tmp_path / "out.building" / "data").touch()
    code = f"from features.files import staging; staging.publish({building!r}, {target!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=faults.environment(f"kill {point}"), check=False
    )
    assert done.returncode == -signal.SIGKILL
    if os.path.exists(target):
        assert os.path.exists(f"{target}/data")
        staging.unmark(target)
        assert os.listdir(target) == ["data"]
    staging.begin(building)
    assert os.listdir(building) == [staging.MARKER]


def test_a_target_with_content_is_not_replaced(tmp_path):
    staging.begin(str(tmp_path / "out.building"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis").write_text("mine")
    with pytest.raises(OSError, match="not empty"):
        staging.publish(str(tmp_path / "out.building"), str(tmp_path / "out"))
    assert (tmp_path / "out" / "thesis").read_text() == "mine"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_no_job_left_stays(tmp_path, kind):
    place = tmp_path / "out.building"
    if kind == "file":
        place.write_text("mine")
    else:
        real = tmp_path / "real" if kind == "link" else place
        real.mkdir()
        (real / "thesis").write_text("mine")
        if kind == "link":
            place.symlink_to(real)
    with pytest.raises(UserInputError, match="is in the way: jobs use this name"):
        staging.begin(str(place))
    assert not staging.remove_leftover(str(place))
    assert (place if kind == "file" else place / "thesis").read_text() == "mine"


def test_what_a_killed_job_left_is_removed_even_if_that_is_killed_too(tmp_path):
    place = tmp_path / "out.building"
    staging.begin(str(place))
    for number in range(50):
        (place / f"f{number}").write_text("x")
    code = f"""
import os, signal
from features.files import staging
remove, calls = os.remove, []
def killed(path, **others):
    calls.append(path)
    if len(calls) == 25:
        os.kill(os.getpid(), signal.SIGKILL)
    remove(path, **others)
os.remove = killed
staging.remove_leftover({str(place)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert 0 < len(os.listdir(place)) < 51 and staging.is_leftover(str(place))
    staging.begin(str(place))
    assert os.listdir(place) == [staging.MARKER]


def test_what_a_worker_adds_meanwhile_is_removed_and_it_cannot_make_the_folder_again(
    tmp_path, monkeypatch
):
    place = tmp_path / "out.building"
    staging.begin(str(place))
    (place / "work").mkdir()
    remove, late = os.remove, ["train-1", "work/train-2", "train-3"]

    def remove_beside_a_worker(path, **others):
        if late:
            name = late.pop()
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_text("late")
        remove(path, **others)

    monkeypatch.setattr(os, "remove", remove_beside_a_worker)
    assert staging.remove_leftover(str(place))
    assert (late, os.listdir(tmp_path)) == ([], [])
    with pytest.raises(FileNotFoundError, match="train-4"):
        storage.OutputFile(str(place / "train-4"), durable=False).__enter__()
    assert os.listdir(tmp_path) == []
