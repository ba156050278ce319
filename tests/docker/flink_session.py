"""A Flink session cluster for tests: job manager and task managers as own processes, and Beam's
job server. All of it is on the class path that `make flink-jars` fetched.
"""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.pipeline import beam_cluster
from tests.server_process import free_port

_ENTRY = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

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
    environment = {"JDK_JAVA_OPTIONS": beam_cluster.QUICK_COMPILER}
    with contextlib.ExitStack() as running:

        def run(name: str, main: str, ready: str) -> subprocess.Popen:
            command, log = [*java, main, *configured], folder / f"{name}.log"
            process = running.enter_context(beam_cluster.run(command, log, environment))
            beam_cluster.await_line(process, log, ready)
            return process

        run("manager", _ENTRY, r"Rest endpoint listening at")
        managers = [
            run(f"task_manager_{number}", _TASK_MANAGER, r"Successful registration at resource")
            for number in range(task_managers)
        ]
        _, endpoint = running.enter_context(
            beam_cluster.job_server(
                "flink", folder, environment, f"--flink-master=127.0.0.1:{rest}"
            )
        )
        yield FlinkSession(endpoint, folder, managers)
