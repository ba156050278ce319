"""Processes run together, fail together, stop together, and run again at 75."""

import os
import shlex
import signal
import sys
import threading
import time

import pytest

from pipeline.submission.processes import Command, ProcessGroup, combined_code, next_pause

COUNTED = """
import pathlib, sys
runs = pathlib.Path(sys.argv[1])
runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
codes = [int(code) for code in sys.argv[2].split(",")]
sys.exit(codes[len(runs.read_text()) - 1])
"""
WAITING = """
import pathlib, signal, sys, time
def stop(number, frame):
    pathlib.Path(sys.argv[1]).write_text("saved")
    sys.exit(75)
signal.signal(signal.SIGTERM, stop)
pathlib.Path(sys.argv[1]).write_text("started")
time.sleep(60)
"""


def python(source: str, *arguments: object) -> Command:
    return Command([sys.executable, "-c", source, *map(str, arguments)])


def group(*commands: Command, grace_seconds: float = 10) -> ProcessGroup:
    return ProcessGroup(commands, grace_seconds)


@pytest.mark.parametrize(
    ("codes", "expected", "runs"),
    [("0", 0, 1), ("75,75,0", 0, 3), ("75,2", 2, 2), ("2,0", 2, 1), ("1,0", 1, 1)],
)
def test_only_75_is_run_again(tmp_path, codes, expected, runs):
    assert group(python(COUNTED, tmp_path / "runs", codes)).run() == expected
    assert (tmp_path / "runs").read_text() == "x" * runs


def test_once_hands_75_on(tmp_path):
    assert group(python(COUNTED, tmp_path / "runs", "75,0")).run(once=True) == 75
    assert (tmp_path / "runs").read_text() == "x"


def test_a_command_that_ends_soon_again_waits_longer_each_time():
    pauses = [0.0]
    for ran in (1, 1, 1, 1000, 1, 1, 1, 1, 1, 1, 1):
        pauses.append(next_pause(pauses[-1], ran))
    assert pauses[1:] == [1, 2, 4, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_killed_job_has_the_shells_code():
    source = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert group(python(source)).run() == 137


def started(path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_text() != "started":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_that_fails_takes_the_others_with_it(tmp_path):
    waiting = tmp_path / "state"
    fails = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists():\n"
    fails += "    time.sleep(0.02)\ntime.sleep(0.2)\nsys.exit(1)"
    # The other is asked to stop and exits with 75: still the group failed with 1.
    assert group(python(WAITING, waiting), python(fails, waiting)).run() == 1
    assert waiting.read_text() == "saved"


def test_a_stop_is_passed_on_and_nothing_is_run_again(tmp_path):
    states = [tmp_path / "a", tmp_path / "b"]

    def stop():
        for state in states:
            started(state)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=stop)
    thread.start()
    assert group(*(python(WAITING, state) for state in states)).run() == 75
    thread.join()
    assert [state.read_text() for state in states] == ["saved", "saved"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_one_that_does_not_stop_is_killed(tmp_path):
    deaf = "import pathlib, signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    deaf += "pathlib.Path(sys.argv[1]).write_text('started')\ntime.sleep(60)"
    state = tmp_path / "state"
    fails = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists():\n"
    fails += "    time.sleep(0.02)\nsys.exit(2)"
    before = time.monotonic()
    assert group(python(deaf, state), python(fails, state), grace_seconds=0.5).run() == 2
    assert time.monotonic() - before < 30


def test_a_command_is_printed_as_a_shell_takes_it():
    command = Command(["echo", "a b", "$HOME"], {"TF_CONFIG": '{"task": 1}'})
    assert shlex.split(str(command)) == ['TF_CONFIG={"task": 1}', "echo", "a b", "$HOME"]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0], 0), ([1, 75], 75), ([75, 2], 2), ([0, 1], 1), ([-9, 0], 137)],
)
def test_the_code_of_the_group_is_the_most_specific(codes, expected):
    assert combined_code(codes) == expected
