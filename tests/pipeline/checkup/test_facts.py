"""What the doctor's facts are made of: crashes, control groups, folders, pins."""

import types
from pathlib import Path

import pytest

from pipeline.checkup import child_process, facts, machine
from pipeline.checkup.child_process import Loading

GIB = 1 << 30
MEMORY = types.SimpleNamespace(total=16 * GIB, available=8 * GIB)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("say(a=1)", Loading({"a": 1})),
        ("say(a=1)\nos.kill(os.getpid(), 11)", Loading({"a": 1}, "killed by SIGSEGV")),
        ("say(a=1)\nos.abort()", Loading({"a": 1}, "killed by SIGABRT")),
        ("import nosuch", Loading({}, "ModuleNotFoundError: No module named 'nosuch'")),
        (
            "from features.errors import UserInputError\nraise UserInputError('say what')",
            Loading({}, "UserInputError: say what"),
        ),
        ("print('library chatter')\nsay(b=2)", Loading({"b": 2})),
        ("sys.exit(3)", Loading({}, "exit code 3")),
    ],
    ids=["good", "segfault", "abort", "absent", "user error", "chatter", "silent"],
)  # fmt: skip
def test_child_process_reports_how_it_ended(code: str, expected: Loading) -> None:
    assert child_process.load(code) == expected


def test_a_hanging_library_is_ended() -> None:
    assert child_process.load("import time; time.sleep(60)", seconds=0.5).failure == (
        "did not end within 0.5 s"
    )


def root_of(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_control_groups_of_version_2_limit_at_every_level(tmp_path: Path) -> None:
    root = root_of(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pod/trainer\n",
            "sys/fs/cgroup/pod/trainer/memory.max": "max\n",
            "sys/fs/cgroup/pod/memory.max": f"{4 * GIB}\n",
            "sys/fs/cgroup/pod/memory.current": f"{3 * GIB}\n",
            "sys/fs/cgroup/pod/memory.stat": f"anon 5\ninactive_file {GIB}\n",
            "sys/fs/cgroup/pod/trainer/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pod/cpu.max": "max 100000\n",
            "dev/nvidia0": "",
        },
    )
    found = machine.read(root, MEMORY)
    assert (found.memory, found.memory_limit, found.memory_free) == (16 * GIB, 4 * GIB, 2 * GIB)
    assert (found.cpu_quota, found.gpu_device) == (1.5, True)


def test_control_groups_of_version_1(tmp_path: Path) -> None:
    root = root_of(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/job\n2:cpu,cpuacct:/job\n0::/\n",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{2 * GIB}\n",
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    found = machine.read(root, MEMORY)
    assert (found.memory_limit, found.memory_free) == (2 * GIB, GIB)
    assert (found.cpu_quota, found.gpu_device) == (0.5, False)


def test_without_limits_the_machine_is_what_there_is(tmp_path: Path) -> None:
    found = machine.read(root_of(tmp_path, {"proc/self/cgroup": "0::/\n"}), MEMORY)
    assert (found.memory_limit, found.memory_free, found.cpu_quota) == (None, 8 * GIB, None)


def test_a_trial_leaves_nothing_behind_and_makes_no_folder(tmp_path: Path) -> None:
    found = machine.try_folder(str(tmp_path / "new" / "output"))
    assert (found.failure, found.tried) == ("", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/proc/no/folder", "{file}/output"])
def test_a_folder_that_takes_no_file(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert machine.try_folder(path.format(file=tmp_path / "file")).failure


def test_pins_are_those_of_the_installed_tensorflow(tmp_path: Path) -> None:
    setup = 'INSTALL_REQUIRES = ["tensorflow==2.16.2", "tensorflow-io==0.37.1", "A.B[c]>=1"]'
    (tmp_path / "setup.py").write_text(setup)
    locks = tmp_path / "requirements"
    locks.mkdir()
    (locks / "dev.lock").write_text("tensorflow==2.16.2 \\\n    --hash=sha256:0\na-b==1.5\n")
    (locks / "latest.lock").write_text("tensorflow==2.21.0 \\\n    --hash=sha256:0\na-b==1.6\n")
    pinned = facts.read_pins("2.16.2", tmp_path)
    assert pinned.origin == "setup.py"
    assert pinned.required == {"tensorflow": "==2.16.2", "tensorflow-io": "==0.37.1", "a-b": ">=1"}
    assert pinned.locked == {"tensorflow": "2.16.2", "a-b": "1.5"}
    newest = facts.read_pins("2.21.0", tmp_path)
    assert newest.origin == "requirements/latest.lock"
    assert newest.required == {"tensorflow": "==2.21.0", "a-b": "==1.6"}
    assert facts.read_pins(None, tmp_path) == pinned


def test_image_versions_are_read_from_this_repository() -> None:
    assert facts.image_version("tensorflow/serving", "docker/docker-compose.yml")
    assert facts.image_version("apache/beam_python3.11_sdk", "docker/worker/Dockerfile")
    assert facts.image_version("tensorflow/serving", "no/such/file") is None
