"""What cannot be written, or would never be read, is told before a job starts."""

import os
import subprocess
import sys

import pytest

from features.errors import UserInputError
from pipeline.runtime import disk_checks
from pipeline.runtime.path_rules import Place
from tests import faults, job_processes, quick_python
from tests.conftest import REPOSITORY
from tests.pipeline.runtime.test_path_rules import OUTPUTS, REQUIRED


def check(path, kind="FOLDER"):
    disk_checks.check([Place("--output", str(path), kind)], [])


def refused(path, kind="FOLDER"):
    with pytest.raises(UserInputError) as caught:
        check(path, kind)
    message = str(caught.value)
    assert message.startswith("--output ") and message.endswith(".")
    return message


@pytest.mark.parametrize("kind", ["FOLDER", "FILE"])
def test_what_can_be_written_passes_and_stays_untouched(tmp_path, kind):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "target")
    for name in ("new", "folder/new/deep", "link"):
        check(tmp_path / name, kind)
    check("s3://bucket/output", kind)
    assert os.listdir(tmp_path / "folder") == []


def test_an_output_that_may_be_complete_is_left_to_the_job(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").touch()
    with faults.read_only(tmp_path):
        check(tmp_path / "out")


@pytest.mark.parametrize("kind", ["FOLDER", "FILE"])
def test_disks_that_take_nothing(tmp_path, kind):
    with faults.read_only(tmp_path):
        assert "can only be read" in refused(tmp_path / "a/b", kind)
    with faults.small_disk(1) as disk:
        faults.fill(disk, 0)
        assert "no space is left" in refused(disk / "a", kind)
        faults.fill(disk, 1 << 16)
        check(disk / "a", kind)


@pytest.mark.parametrize("kind", ["FOLDER", "FILE"])
def test_names_that_lead_nowhere(tmp_path, kind):
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert "is a file, expected a folder" in refused(tmp_path / "file" / "below" / "it", kind)
    assert "the name is too long" in refused(tmp_path / ("x" * 250), kind)
    assert "in a circle" in refused(tmp_path / "circle", kind)


def test_another_kind_of_thing_has_the_name(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    assert "is a file, expected a folder" in refused(tmp_path / "file")
    assert "is a folder, expected a file" in refused(tmp_path, "FILE")
    for special in ("/dev/null", tmp_path / "pipe"):
        assert "pipe or a device" in refused(special, "FILE")
    check(tmp_path / "file", "FILE")


def test_a_pipe_that_nobody_writes_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(UserInputError, match=r"--config .* is a pipe or a device"):
            disk_checks.check([], [Place("--config", path, "FILE")])
    disk_checks.check([], [Place("--config", "/dev/fd/63", "FILE")])


PROGRAM = """
import sys
from absl import flags
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

def define():
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FILE` A file.")

def work(arguments):
    print("x" * {printed})
    {line}

entry_point.run(work, define)
"""


@pytest.fixture(params=["quick", "real"])
def run(request, tmp_path):
    python = quick_python.executable() if request.param == "quick" else sys.executable

    def run(line, *arguments, printed=1, buffered=True, **options):
        code = PROGRAM.format(line=line, printed=printed)
        (tmp_path / "p.py").write_text(code, encoding="utf-8")
        # The environment of the newest TensorFlow does not have this project on its path.
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "" if buffered else "1",
        }
        options = {"stdout": subprocess.DEVNULL, "env": environment, **options}
        command = [python, str(tmp_path / "p.py"), *map(str, arguments)]
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)

    return run


def test_a_job_ends_with_a_code_and_a_sentence(run, tmp_path):
    line = "raise OSError({}, 'words', '/data/part')"
    for number, code in ((28, 2), (5, 75)):
        done = run(line.format(number))
        assert done.returncode == code
        assert done.stderr.startswith("Error: '/data/part': ") and done.stderr.count("\n") == 1
    done = run("{}['a bug']")
    assert done.returncode == 1 and "KeyError: 'a bug'" in done.stderr


def test_only_check_args_does_not_look_at_the_disk(run, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with faults.read_only(folder):
        done = run("pass", f"--output={folder}/out")
        assert done.returncode == 2, done.stderr
        assert "can only be read" in done.stderr
        assert run("pass", f"--output={folder}/out", "--only_check_args").returncode == 0


def test_a_full_disk_that_no_error_names_is_told_by_its_room(run):
    with faults.small_disk(1) as disk:
        done = run("raise OSError(28, 'No space')", f"--output={disk}/out")
        assert done.returncode == 2
        assert f"--output '{disk}/out' has 1 MiB left, TMPDIR " in done.stderr


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("printed", [1, 100_000])
def test_printing_to_a_full_disk_is_told(run, printed, buffered):
    with faults.small_disk(1) as disk, open(disk / "printed", "w") as stdout:
        faults.fill(disk, 0)
        done = run("pass", stdout=stdout, printed=printed, buffered=buffered)
    assert done.returncode == 2, done.stderr
    assert "no space is left on the disk. Make room there" in done.stderr
    assert "run the same command again. Standard output goes there. TMPDIR" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("printed", [1, 100_000])
def test_a_reader_that_has_enough_is_no_fault(run, printed, buffered):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stdout:
        done = run("pass", stdout=stdout, printed=printed, buffered=buffered)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.guarantee("no write", "doctor", "run", "simulate", "convert", "inspect_data")
@pytest.mark.guarantee("no write", "ingest_embeddings", "build_examples", "build_vocabulary")
@pytest.mark.guarantee("no write", "train", "evaluate", "export", "gate", "check_skew", "backfill")
@pytest.mark.guarantee("full disk", "doctor", "run")
@pytest.mark.parametrize(
    ("job", "output"), [(job, one) for job, outputs in OUTPUTS.items() for one in outputs]
)
def test_each_job_says_so_before_it_reads_anything(job, output, tmp_path):
    (tmp_path / "file").touch()
    needed = {"build_vocabulary": {"examples": "examples"}, **REQUIRED}
    required = [f"--{name}={value}" for name, value in needed.get(job, {}).items()]
    with faults.small_disk(1) as full, faults.small_disk(1) as fixed, faults.read_only(fixed):
        faults.fill(full, 0)
        places = {
            full / "new": "no space is left on the disk",
            fixed / "new": "can only be read",
            tmp_path / "file" / "new": "is a file, expected a folder",
            tmp_path / ("x" * 250): "the name is too long",
        }
        module = f"pipeline.{job}"
        outcomes = job_processes.run([[module, f"--{output}={one}", *required] for one in places])
        for message, outcome in zip(places.values(), outcomes, strict=True):
            assert outcome.code == 2
            assert outcome.stderr.startswith(f"Error: --{output} ")
            assert message in outcome.stderr and outcome.stderr.count("\n") == 1
