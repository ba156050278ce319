"""The resident memory of a process, now and at its peak since a moment; Linux only."""


def now_mib(process: int | str = "self") -> float:
    """Returns what is resident of a process, this one or that of a number, MiB."""
    return _status("VmRSS", process)


def peak_mib() -> float:
    """Returns the most that was resident since `reset_peak`, MiB."""
    return _status("VmHWM")


def reset_peak() -> None:
    """Forgets the peak so far."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _status(name: str, process: int | str = "self") -> float:
    with open(f"/proc/{process}/status") as file:
        values = dict(line.split(":", 1) for line in file)
    return int(values[name].split()[0]) / 1024  # In kB.
