"""Runs a command and measures its time and the memory of the whole process tree."""

import contextlib
import dataclasses
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import psutil

_SAMPLE_SECONDS = 0.05
_ERROR_CHARACTERS = 2000


@dataclasses.dataclass(frozen=True)
class Usage:
    """Time and memory of a command.

    Attributes:
      seconds: wall time from start to exit, imports included.
      cpu_seconds: user and system time of the command and the children it waited for.
      peak_mib: the most resident memory, MiB: the sum over the process tree, sampled, or the
        peak of the largest process where that is more. Shared pages count once per process.
      largest_process_mib: the peak of the largest process, MiB.
      processes: the most processes seen at once.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    largest_process_mib: float
    processes: int


def run(command: Sequence[str]) -> Usage:
    """Runs a command to its end; measures one command at a time.

    Args:
      command: program and arguments; its output is shown only when it fails.

    Raises:
      RuntimeError: the command failed; with the exit code and the end of its output.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = largest = 0.0
    most = 1
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            while (code := _exit_code(process)) is None:
                resident, own_peaks = zip(*map(_memory_mib, _tree(process)), strict=True)
                peak, largest = max(peak, sum(resident)), max(largest, *own_peaks)
                most = max(most, len(resident))
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - begin
        if code:
            output.seek(0)
            text = output.read().decode(errors="replace")[-_ERROR_CHARACTERS:]
            raise RuntimeError(f"{' '.join(command)} ended with {code}:\n{text}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Usage(seconds, cpu_seconds, max(peak, largest), largest, most)


def summary(usages: Sequence[Usage]) -> dict[str, Any]:
    """Returns a row's figures of several runs: median times, the most memory and processes."""
    return {
        "seconds": round(statistics.median(usage.seconds for usage in usages), 2),
        "cpu_seconds": round(statistics.median(usage.cpu_seconds for usage in usages), 2),
        "peak_mib": round(max(usage.peak_mib for usage in usages)),
        "largest_process_mib": round(max(usage.largest_process_mib for usage in usages)),
        "processes": max(usage.processes for usage in usages),
        "repeats": len(usages),
    }


def _exit_code(process: psutil.Popen) -> int | None:
    """Waits until the next sample is due; None while the process runs."""
    with contextlib.suppress(psutil.TimeoutExpired):
        return int(process.wait(_SAMPLE_SECONDS))
    return None


def _tree(process: psutil.Popen) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return [process]


def _memory_mib(process: psutil.Process) -> tuple[float, float]:
    """Returns the resident memory of a process now and at its peak; 0 if it has ended."""
    try:
        resident = process.memory_info().rss / 2**20
        # psutil has no peak on Linux, where sampling alone would miss short ones.
        with open(f"/proc/{process.pid}/status") as file:
            peaks = [int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM")]
    except psutil.Error:
        return 0.0, 0.0
    except OSError:  # No /proc on this system, or the process has just ended.
        return resident, resident
    return resident, max([resident, *peaks])
