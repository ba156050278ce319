"""Memory and CPUs, as the kernel and the control groups of this process limit them."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

_V1_UNLIMITED = 1 << 60


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a job may use here.

    Attributes:
      cpus: that this process may run on.
      cpu_quota: CPUs' worth of time that the control group grants; None for no limit.
      memory: bytes of the machine.
      memory_limit: bytes that the control group grants; None for no limit.
      memory_free: bytes that can still be had, of both.
      gpu_device: whether the operating system shows an NVIDIA device.
    """

    cpus: int
    cpu_quota: float | None
    memory: int
    memory_limit: int | None
    memory_free: int
    gpu_device: bool


def read(root: Path = Path("/")) -> Machine:
    """Reads `/proc`, `/sys/fs/cgroup` (version 1 or 2) and `/dev`.

    Args:
      root: that these lie under.
    """
    meminfo = _numbers(root / "proc/meminfo")
    free = [meminfo["MemAvailable:"] * 1024]
    limits, quotas = [], []
    for group in _groups(root, "memory"):
        limit = _integer(group / "memory.max", group / "memory.limit_in_bytes")
        if limit is not None and limit < _V1_UNLIMITED:
            limits.append(limit)
            used = _integer(group / "memory.current", group / "memory.usage_in_bytes") or 0
            # The kernel takes these pages of the file cache back before anything is killed.
            cache = _numbers(group / "memory.stat")
            cached = cache.get("total_inactive_file", cache.get("inactive_file", 0))
            free.append(max(0, limit - used + cached))
    for group in _groups(root, "cpu"):
        quota = _quota(group)
        quotas += [quota] if quota is not None else []
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        cpu_quota=min(quotas, default=None),
        memory=meminfo["MemTotal:"] * 1024,
        memory_limit=min(limits, default=None),
        memory_free=min(free),
        gpu_device=any((root / "dev").glob("nvidia[0-9]*")),
    )


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yields the folders of this process's control group and of all above it: each may limit."""
    mount = root / "sys/fs/cgroup"
    membership = root / "proc/self/cgroup"
    for line in membership.read_text().splitlines() if membership.is_file() else ():
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = mount / controller if controllers else mount
        folder = top / name.strip("/")
        yield from (one for one in (folder, *folder.parents) if one.is_relative_to(top))


def _quota(group: Path) -> float | None:
    """Returns CPUs of a group's quota, None for no limit."""
    if (file := group / "cpu.max").is_file():
        quota, period = file.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    microseconds = _integer(group / "cpu.cfs_quota_us")
    period_us = _integer(group / "cpu.cfs_period_us")
    return microseconds / period_us if microseconds and microseconds > 0 and period_us else None


def _integer(*files: Path) -> int | None:
    """Returns the number in the first file that exists, None for `max` or no file."""
    for file in files:
        if file.is_file():
            text = file.read_text().strip()
            return None if text == "max" else int(text)
    return None


def _numbers(file: Path) -> dict[str, int]:
    """Returns the number beside each name of a file of lines `name number ...`."""
    lines = file.read_text().splitlines() if file.is_file() else []
    return {parts[0]: int(parts[1]) for parts in map(str.split, lines) if len(parts) > 1}
