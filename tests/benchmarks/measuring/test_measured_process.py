"""Time and memory are those of the whole process tree."""

import sys

import pytest

from benchmarks.measuring import measured_process


@pytest.fixture(scope="module")
def interpreter_mib():
    return measured_process.run([sys.executable, "-c", "import time; time.sleep(0.5)"]).peak_mib


@pytest.mark.parametrize("mib", [100, 400])
def test_memory_is_what_a_process_holds(interpreter_mib, mib):
    program = f"held = bytearray({mib} << 20); import time; time.sleep(0.5)"
    usage = measured_process.run([sys.executable, "-c", program])
    assert usage.peak_mib - interpreter_mib == pytest.approx(mib, abs=5)
    assert usage.processes == 1


def test_a_short_peak_is_seen_and_what_was_freed_does_not_count_twice(interpreter_mib):
    program = "held = bytearray(300 << 20); del held; import time; time.sleep(0.5)"
    usage = measured_process.run([sys.executable, "-c", program])
    assert usage.largest_process_mib - interpreter_mib == pytest.approx(300, abs=5)
    assert usage.peak_mib == usage.largest_process_mib


def test_processor_time_is_of_the_command_and_its_children():
    spin = "import time\nwhile time.process_time() < 0.5: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}]); "
    usage = measured_process.run([sys.executable, "-c", f"{parent}\n{spin}"])
    assert 1 <= usage.cpu_seconds < 1.5
    assert usage.seconds >= 1


def test_memory_and_time_of_a_process_tree_are_measured():
    block = "held = bytearray(150 << 20); import time; time.sleep(1.5)"
    parent = (
        "import subprocess, sys; "
        f"child = subprocess.Popen([sys.executable, '-c', {block!r}]); {block}; child.wait()"
    )
    usage = measured_process.run([sys.executable, "-c", parent])
    assert 1.5 <= usage.seconds < 30
    assert usage.processes == 2
    assert 300 < usage.peak_mib < 400
    assert 150 < usage.largest_process_mib < 200


def test_a_command_that_fails_shows_its_output():
    with pytest.raises(RuntimeError, match=r"(?s)ended with 3:.*out of luck"):
        measured_process.run([sys.executable, "-c", "print('out of luck'); raise SystemExit(3)"])
