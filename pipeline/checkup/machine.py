"""What a job may use of this machine: memory, CPUs and folders.

psutil knows the machine and not the control groups that limit a container, so they are read here.
"""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

_V1_UNLIMITED = 1 << 60
_TRIAL_BYTES = 1 << 20


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


@dataclasses.dataclass(frozen=True)
class Folder:
    """A local folder that a job would write to.

    Attributes:
      path: as it was given.
      tried: the folder itself, or the nearest above it that exists: jobs make the rest.
      failure: message of the failed trial; empty when it succeeded.
      free: bytes that this user may still write there.
    """

    path: str
    tried: str
    failure: str
    free: int


def read(root: Path = Path("/"), memory: Any = None) -> Machine:
    """Reads memory, CPUs and the control groups, of version 1 or 2, that limit them.

    Args:
      root: holds `proc/self/cgroup`, `sys/fs/cgroup` and `dev`.
      memory: `total` and `available` bytes of the machine; psutil's by default.
    """
    memory = memory or psutil.virtual_memory()
    limits = list(filter(None, map(_memory, _groups(root, "memory"))))
    quotas = list(filter(None, map(_quota, _groups(root, "cpu"))))
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        cpu_quota=min(quotas, default=None),
        memory=memory.total,
        memory_limit=min((limit for limit, _ in limits), default=None),
        memory_free=min([memory.available, *(free for _, free in limits)]),
        gpu_device=any((root / "dev").glob("nvidia[0-9]*")),
    )


def try_folder(path: str) -> Folder:
    """Writes a file, publishes its folder by a rename as jobs do, and removes both."""
    tried = Path(path.removeprefix("file://")).absolute()
    while not tried.exists() and tried != tried.parent:
        tried = tried.parent
    failure = ""
    try:
        with tempfile.TemporaryDirectory(
            prefix=".doctor-", dir=tried, ignore_cleanup_errors=True
        ) as trial:
            building = Path(trial, "building")
            building.mkdir()
            with open(building / "trial", "wb") as file:
                file.write(bytes(_TRIAL_BYTES))
                file.flush()
                os.fsync(file.fileno())
            building.rename(Path(trial, "published"))
    except OSError as error:
        failure = error.strerror or str(error)
    return Folder(path, str(tried), failure, shutil.disk_usage(tried).free)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yields the folders of this process's control group and of all above it: each may limit."""
    membership = root / "proc/self/cgroup"
    for line in membership.read_text().splitlines() if membership.is_file() else ():
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        folder = top / name.strip("/")
        yield from (one for one in (folder, *folder.parents) if one.is_relative_to(top))


def _memory(group: Path) -> tuple[int, int] | None:
    """Returns the limit and the free bytes of a group; None where it has no limit."""
    limit = _words(group / "memory.max", group / "memory.limit_in_bytes")
    if limit in ([], ["max"]) or int(limit[0]) >= _V1_UNLIMITED:
        return None
    used = _words(group / "memory.current", group / "memory.usage_in_bytes") or ["0"]
    words = _words(group / "memory.stat")
    statistics = dict(zip(words[::2], words[1::2], strict=True))
    # The kernel takes these pages of the file cache back before anything is killed.
    cached = statistics.get("total_inactive_file", statistics.get("inactive_file", "0"))
    return int(limit[0]), max(0, int(limit[0]) - int(used[0]) + int(cached))


def _quota(group: Path) -> float | None:
    """Returns the CPUs of a group's quota; None where it has none."""
    words = _words(group / "cpu.max")  # Version 2: quota and period in one file.
    words = words or _words(group / "cpu.cfs_quota_us") + _words(group / "cpu.cfs_period_us")
    return int(words[0]) / int(words[1]) if words and words[0] not in ("max", "-1") else None


def _words(*files: Path) -> list[str]:
    """Returns the words of the first file that exists, none without one."""
    return next((file.read_text().split() for file in files if file.is_file()), [])
