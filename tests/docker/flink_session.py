"""A Flink session cluster for tests: job manager and task managers as own processes, and Beam's
job server. All of it is on the class path that `make flink-jars` fetched.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.server_process import free_port

_ENTRY = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

_SECONDS_TO_START = 300

# A task manager that is gone is found by two heartbeats without an answer. Ten seconds for any
# answer, the default, are too short to start on a busy machine.
_CONFIGURATION = """\
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest}
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 2
taskmanager.cpu.cores: 1
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.task.heap.size: 512m
taskmanager.memory.managed.size: 256m
taskmanager.memory.network.min: 128m
taskmanager.memory.network.max: 128m
taskmanager.memory.task.off-heap.size: 0
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
cluster.evenly-spread-out-slots: true
heartbeat.interval: 1000
pekko.ask.timeout: 120 s
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: {restarts}
restart-strategy.fixed-delay.delay: {seconds} s
classloader.resolve-order: parent-first
io.tmp.dirs: {folder}
"""


class FlinkSession:
    """A running session cluster.

    Args:
      endpoint: `host:port` of the job server.
      folder: where its processes write their logs.
      task_managers: the processes, in the order in which they were started.
    """

    def __init__(self, endpoint: str, folder: Path, task_managers: Sequence[subprocess.Popen]):
        self.endpoint, self.folder, self.task_managers = endpoint, folder, task_managers

    def log(self, name: str) -> str:
        """Returns what a process has logged: `manager`, `server` or `task_manager_N`."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def restarts(self) -> int:
        """Returns how often Flink has begun a job again."""
        return self.log("manager").count("switched from state RUNNING to RESTARTING")


@contextlib.contextmanager
def start(
    folder: Path, jars: Path, restarts: int, seconds: int, task_managers: int = 2
) -> Iterator[FlinkSession]:
    """Runs a cluster until the block ends.

    Args:
      folder: for logs and for all that Flink writes.
      jars: the class path.
      restarts: how often Flink begins a failed job again.
      seconds: how long after each failure.
      task_managers: how many, each with two slots.
    """
    folder.mkdir()
    rpc, rest = free_port(), free_port()
    (folder / "conf").mkdir()
    (folder / "conf/flink-conf.yaml").write_text(
        _CONFIGURATION.format(rpc=rpc, rest=rest, folder=folder, restarts=restarts, seconds=seconds)
    )
    java = ["java", f"@{REPOSITORY}/docker/flink/java.options", f"-Djava.io.tmpdir={folder}"]
    java += ["-cp", f"{jars}/*"]
    configured = ["--configDir", str(folder / "conf")]
    server = ["sh", str(REPOSITORY / "docker/job_server.sh"), "flink", "--job-port=0"]
    server += ["--artifact-port=0", f"--artifacts-dir={folder}/artifacts"]
    with contextlib.ExitStack() as running:

        def run(name: str, command: Sequence[str]) -> subprocess.Popen:
            return running.enter_context(_process(command, folder / f"{name}.log"))

        run("manager", [*java, _ENTRY, *configured])
        _await(folder / "manager.log", r"Rest endpoint listening at")
        managers = []
        for number in range(task_managers):
            managers.append(run(f"task_manager_{number}", [*java, _TASK_MANAGER, *configured]))
        for number in range(task_managers):
            _await(folder / f"task_manager_{number}.log", r"Successful registration at resource")
        run("server", [*server, f"--flink-master=127.0.0.1:{rest}"])
        endpoint = _await(folder / "server.log", r"JobService started on (\S+)")[1]
        yield FlinkSession(endpoint, folder, managers)


@contextlib.contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # The quick compiler alone: these jobs end before the thorough one pays.
            env={**os.environ, "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1"},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _await(log: Path, pattern: str) -> re.Match[str]:
    deadline = time.monotonic() + _SECONDS_TO_START
    while not (found := re.search(pattern, log.read_text(errors="replace"))):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {pattern!r} in {log}:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)
    return found
