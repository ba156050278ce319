"""Checks of the machine and of what jobs read and write: facts in, findings out."""

import math
from collections.abc import Iterable

from features import proxies
from pipeline.checkup.child_process import Loading
from pipeline.checkup.facts import Facts, Finding
from pipeline.checkup.machine import Folder

_GIB = 1 << 30
# Status below so many GiB. A job of a small model holds about 1.5 GiB with TensorFlow; a join 0.5.
_MEMORY = (("problem", 1, "a job needs 1 GiB"), ("warning", 4, "4 GiB are comfortable"))
# The environment alone has 3 GB, the outputs of a demo half of one.
_DISK = (("problem", 1, "less than 1 GiB is left"), ("warning", 10, "less than 10 GiB are left"))

_LOCAL = ("localhost", "127.0.0.1")

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def memory(facts: Facts) -> Finding:
    """Enough memory can be had, within the control group's limit."""
    machine = facts.machine
    limited = (
        f"limit {_gib(machine.memory_limit)} of {_gib(machine.memory)}"
        if machine.memory_limit is not None and machine.memory_limit < machine.memory
        else f"of {_gib(machine.memory)}, no limit"
    )
    message = f"{_gib(machine.memory_free)} free, {limited}"
    remedy = "end what else runs here, or raise the limit (docker run --memory, resources.limits)"
    return _room(machine.memory_free, _MEMORY, message, remedy)


def cpus(facts: Facts) -> Finding:
    """No more threads are started than the control group's quota allows."""
    count, quota = facts.machine.cpus, facts.machine.cpu_quota
    if quota is None or quota >= count:
        return "ok", f"{count}, no lower quota"
    threads = max(1, math.floor(quota))
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    message = f"{count} visible, quota of {quota:g}"
    if all(_within(facts.environment.get(name), threads) for name in names):
        return "ok", f"{message}; {' and '.join(names)} keep within it"
    return (
        "warning",
        f"{message}: TensorFlow starts {count} threads, which the kernel then stops and starts",
        f"raise the quota, or export {' '.join(f'{name}={threads}' for name in names)}",
    )


def threads(facts: Facts) -> Finding:
    """Variables that set numbers of threads fit this machine."""
    found = {
        name: facts.environment[name] for name in _THREAD_VARIABLES if name in facts.environment
    }
    settings = " ".join(f"{name}={value}" for name, value in found.items())
    if not found:
        return "ok", "as many as CPUs, no variable sets another number"
    # With 0, TensorFlow chooses.
    bad = [
        name
        for name, value in found.items()
        if not _within(value, facts.machine.cpus) and not (name.startswith("TF_") and value == "0")
    ]
    if bad:
        return (
            "warning",
            f"{settings}: expected a number from 1 to {facts.machine.cpus}, the CPUs here",
            f"unset {' '.join(bad)}",
        )
    return "ok", settings


def gpu(facts: Facts) -> Finding:
    """TensorFlow sees the GPU that the operating system shows."""
    seen = facts.loading["tensorflow"].values.get("gpus", 0)
    if seen:
        return "ok", f"{seen} visible to TensorFlow"
    if not facts.machine.gpu_device:
        return "ok", "none; jobs run on the CPU"
    if facts.environment.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "ok", "hidden by CUDA_VISIBLE_DEVICES; jobs run on the CPU"
    version = facts.installed.get("tensorflow", "")
    return (
        "warning",
        "this machine has an NVIDIA device that TensorFlow does not see",
        f"pip install 'tensorflow[and-cuda]=={version}' (CUDA's libraries), and check the driver "
        "with nvidia-smi",
    )


def proxy(facts: Facts) -> Finding:
    """No proxy catches calls to servers of this machine."""
    caught = [
        text
        for text in (
            *(proxies.catching_grpc(host, facts.environment) for host in _LOCAL),
            *(proxies.catching_http(host, facts.environment) for host in _LOCAL),
        )
        if text is not None
    ]
    if not caught:
        return "ok", "none catches calls to localhost"
    names = sorted({text.partition("=")[0] for text in caught})
    hosts = ",".join(_LOCAL)
    return (
        "warning",
        f"{', '.join(names)}: calls to servers at {' and '.join(_LOCAL)} go to a proxy, of the "
        "client by gRPC, or of pipeline.models --server",
        f'export no_proxy="${{no_proxy:+$no_proxy,}}{hosts}"; gRPC does not read NO_PROXY',
    )


def folder(one: Folder) -> Finding:
    """A folder takes files and renames, and has room."""
    at = f"{one.path}: " if one.tried == one.path else f"{one.path} (at {one.tried}): "
    if one.failure:
        return (
            "problem",
            f"{at}cannot write and rename: {one.failure} ({_gib(one.free)} free)",
            "choose a folder of a disk with room that this user may write to; for the temporary "
            "folder: export TMPDIR=FOLDER",
        )
    message = f"{at}{_gib(one.free)} free, files are written and renamed"
    remedy = "free disk space, or choose another folder (TMPDIR for the temporary one)"
    return _room(one.free, _DISK, message, remedy)


def remote_path(path: str, loading: Loading) -> Finding:
    """A URI can be reached, by pyarrow for the join and by TensorFlow for training."""
    if loading.failure:
        by = "TensorFlow" if "exists" in loading.values else "pyarrow"
        return (
            "problem",
            f"{path}: {by} cannot look at it: {loading.failure}",
            "fix what the message names; docs/clusters.md, Object stores, has the variables",
        )
    there = "is there" if loading.values["exists"] else "does not exist yet"
    return "ok", f"{path} {there}; pyarrow and TensorFlow can look at it"


CHECKS = {"memory": memory, "cpus": cpus, "threads": threads, "gpu": gpu, "proxy": proxy}
"""By name."""


def paths(facts: Facts) -> list[Finding]:
    """Checks every folder and URI."""
    remote = [remote_path(path, loading) for path, loading in facts.remote_paths.items()]
    return [*map(folder, facts.folders), *remote]


def _room(free: int, levels: Iterable[tuple[str, int, str]], message: str, remedy: str) -> Finding:
    for status, gib, shortage in levels:
        if free < gib * _GIB:
            return status, f"{message}; {shortage}", remedy
    return "ok", message


def _within(text: str | None, most: int) -> bool:
    return text is not None and text.isdecimal() and 1 <= int(text) <= most


def _gib(count: int | None) -> str:
    return f"{(count or 0) / _GIB:.1f} GiB"
