"""Runs a command and measures its time and the memory of the whole process tree."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence

_SAMPLE_SECONDS = 0.05
_ERROR_CHARACTERS = 2000
# ru_maxrss is in KiB on Linux and in bytes on macOS.
_MAXRSS_MIB = 2**-20 if sys.platform == "darwin" else 2**-10


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a command took.

    Attributes:
      seconds: wall time from start to exit, imports included.
      cpu_seconds: user and system time of the command and the children it waited for.
      peak_mib: the most resident memory, MiB: the sum over the process tree, sampled, or the
        peak of the largest process where that is more. Pages that processes share count once
        for each.
      largest_process_mib: the peak of the largest process: its high-water mark by /proc, else
        what the kernel counts for it, which includes this process at the time of the fork.
      processes: the most processes seen at once.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    largest_process_mib: float
    processes: int


def run(command: Sequence[str]) -> Usage:
    """Runs a command to its end.

    Args:
      command: program and arguments; its output is shown only when it fails.

    Raises:
      RuntimeError: the command failed; says how, with the end of its output.
    """
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        sampler = _MemorySampler(process.pid)
        sampler.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            sampler.stop()
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")[-_ERROR_CHARACTERS:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    largest = sampler.largest_mib or used.ru_maxrss * _MAXRSS_MIB
    return Usage(
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=max(sampler.peak_mib, largest),
        largest_process_mib=largest,
        processes=max(sampler.processes, 1),
    )


class _MemorySampler(threading.Thread):
    """Samples the resident memory of a process and its descendants until stopped.

    Attributes:
      peak_mib: the largest sum seen.
      largest_mib: the highest high-water mark of one process.
      processes: the most processes seen at once.
    """

    def __init__(self, root: int):
        super().__init__(daemon=True)
        self._root = root
        self._stopped = threading.Event()
        self.peak_mib = 0.0
        self.largest_mib = 0.0
        self.processes = 0

    def run(self) -> None:
        while os.path.isdir("/proc/self") and not self._stopped.wait(_SAMPLE_SECONDS):
            tree = _tree(self._root)
            self.processes = max(self.processes, len(tree))
            memory = [_memory_mib(process) for process in tree]
            self.peak_mib = max(self.peak_mib, sum(resident for resident, _ in memory))
            self.largest_mib = max(self.largest_mib, *(peak for _, peak in memory))

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self.join()


def _tree(root: int) -> list[int]:
    """Returns the process and all its descendants that live."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    # The name of the program, in brackets, may itself hold spaces.
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:  # It ended meanwhile.
                continue
            children.setdefault(parent, []).append(int(name))
    tree = [root]
    for process in tree:
        tree.extend(children.get(process, ()))
    return tree


def _memory_mib(process: int) -> tuple[float, float]:
    """Returns what a process holds now and the most that it has held, 0 if it has ended."""
    try:
        with open(f"/proc/{process}/status") as file:
            values = dict(line.split(":", 1) for line in file)
    except OSError:
        return 0.0, 0.0
    # Both in kB; a process that is ending has neither.
    resident, peak = (values.get(name, "0 kB").split()[0] for name in ("VmRSS", "VmHWM"))
    return int(resident) / 1024, int(peak) / 1024
