import os
import signal
import subprocess
import sys

import pytest

from features.errors import UserInputError
from features.files import locks

HOLDER = """
import sys, time
from features.files import locks
with locks.locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_by_name(tmp_path, holder):
    with (
        pytest.raises(UserInputError, match=rf"written by process {holder.pid} on .*--model_dir"),
        locks.locked(str(tmp_path / "out"), "--model_dir"),
    ):
        raise AssertionError
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(UserInputError, match="being written"), locks.locked(str(tmp_path / "link")):
        raise AssertionError


def test_a_killed_process_holds_nothing(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert os.listdir(tmp_path) == ["out.lock"]
    with locks.locked(str(tmp_path / "out")):
        assert str(os.getpid()) in (tmp_path / "out.lock").read_text()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("removed_before", [1, 2])
def test_a_lock_file_that_vanishes_while_it_is_looked_at_is_made_again(
    tmp_path, monkeypatch, removed_before
):
    name, looks, stat = locks.name_of(str(tmp_path / "out")), [], os.stat

    def vanishing(path, **options):
        if path == name:
            looks.append(path)
            if len(looks) == removed_before:
                os.remove(name)
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", vanishing)
    with locks.locked(str(tmp_path / "out")):
        monkeypatch.undo()
        assert str(os.getpid()) in (tmp_path / "out.lock").read_text()


def test_of_many_processes_one_holds_it_at_a_time(tmp_path):
    # Lock files are removed while others wait for them: none may be held twice.
    code = f"""
import os, sys, time
from features.errors import UserInputError
from features.files import locks
for _ in range(200):
    try:
        with locks.locked({str(tmp_path / "out")!r}):
            os.close(os.open({str(tmp_path / "inside")!r}, os.O_CREAT | os.O_EXCL))
            os.remove({str(tmp_path / "inside")!r})
    except UserInputError:
        pass
"""
    many = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [one.wait() for one in many] == [0] * 4
