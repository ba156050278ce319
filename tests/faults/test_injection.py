import signal
import subprocess
import sys

import pytest

from tests import faults, quick_python

# Each line is a call of a point; what comes before the fault is printed.
PROGRAM = """
import os, sys
sys.path.insert(0, {folder!r})
print("start", flush=True)
from pointed import Writer, read
for number in range(4):
    Writer.write("file-%d" % number)
    print(number, flush=True)
print(read("kept"), flush=True)
"""
POINTED = """
class Writer:
    @staticmethod
    def write(path):
        with open(path, "w") as file:
            file.write("own")

def read(path):
    return open(path).read()
"""


@pytest.fixture(params=["quick", "real"])
def run(request, tmp_path):
    python = quick_python.executable() if request.param == "quick" else sys.executable
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "pointed.py").write_text(POINTED, encoding="utf-8")
    (tmp_path / "p.py").write_text(PROGRAM.format(folder=str(modules)), encoding="utf-8")
    (tmp_path / "kept").write_text("kept", encoding="utf-8")

    def run(*lines):
        return subprocess.run(
            [python, "p.py"],
            env=faults.environment(*lines),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def words(done):
    return done.stdout.split()


def test_without_a_fault_all_is_as_ever(run):
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert words(done) == ["start", "0", "1", "2", "3", "kept"]


@pytest.mark.parametrize(
    ("fault", "printed", "files"),
    [
        ("kill before pointed:Writer.write", [], 0),
        ("kill after pointed:Writer.write 2", ["0"], 2),
        ("kill before builtins:open 1 *-3", ["0", "1", "2"], 3),
    ],
)
def test_a_process_is_killed_at_a_point(run, tmp_path, fault, printed, files):
    done = run(fault)
    assert done.returncode == -signal.SIGKILL
    assert words(done) == ["start", *printed]
    assert len(list(tmp_path.glob("file-*"))) == files


@pytest.mark.parametrize(
    ("fault", "printed", "message"),
    [
        ("EIO before pointed:Writer.write 3", 2, "[Errno 5] Input/output error: 'file-2'"),
        ("ENOSPC before builtins:open 1 file*", 0, "[Errno 28] No space left on device: 'file-0'"),
        ("MemoryError after pointed:read", 4, "MemoryError"),
        ("EIO sideways os:remove", None, "unknown fault"),
        ("EWRONG before os:remove", None, "unknown fault"),
    ],
)
def test_a_call_fails_at_a_point(run, fault, printed, message):
    done = run(fault)
    assert done.returncode == 1 or printed is None
    assert message in done.stderr
    if printed is not None:
        assert len(words(done)) == 1 + printed


def test_each_call_from_the_nth_fails(tmp_path):
    program = tmp_path / "p.py"
    program.write_text(
        "import os\n"
        "for _ in range(4):\n"
        "    try: os.stat('absent')\n"
        "    except OSError as error: print(error.errno)\n",
        encoding="utf-8",
    )
    environment = faults.environment("EIO before os:stat 3+ absent")
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", "2", "5", "5"]


@pytest.mark.parametrize("kind", ["file", "folder", "removed"])
def test_a_path_is_replaced_at_a_point(run, tmp_path, kind):
    other, target = tmp_path / "an other", tmp_path / ("folder" if kind == "folder" else "kept")
    if kind == "folder":
        target.mkdir()
        other.mkdir()
        (other / "inner").touch()
    elif kind == "file":
        other.write_text("replaced", encoding="utf-8")
    sources = () if kind == "removed" else (other,)
    done = run(("replace", "before", "pointed:read", 1, "*", target, *sources))
    assert words(done)[:5] == ["start", "0", "1", "2", "3"]
    if kind == "folder":
        assert (target / "inner").exists()
    elif kind == "file":
        assert words(done)[5:] == ["replaced"] and other.exists()
    else:
        assert "No such file" in done.stderr


def test_root_obeys_permissions(run, tmp_path):
    (tmp_path / "kept").chmod(0)
    done = run("permissions")
    assert "Permission denied: 'kept'" in done.stderr
    (tmp_path / "kept").chmod(0o644)
    for path in tmp_path.glob("file-*"):
        path.unlink()
    tmp_path.chmod(0o555)
    assert "Permission denied: 'file-0'" in run("permissions").stderr
    tmp_path.chmod(0o755)


def test_what_a_process_starts_has_its_faults(tmp_path):
    program = tmp_path / "p.py"
    program.write_text(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import os; os.remove(1)'])\n"
        "print('parent')\n",
        encoding="utf-8",
    )
    environment = faults.environment("EROFS before os:remove")
    done = subprocess.run(
        [quick_python.executable(), program],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Read-only file system" in done.stderr
    assert done.stdout == "parent\n"
