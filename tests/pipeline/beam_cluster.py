"""A local Flink or Spark for tests: Beam's job server and a pool of workers, as own processes."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from google.protobuf import json_format

from tests.conftest import REPOSITORY
from tests.server_process import free_port

QUICK_COMPILER = "-XX:TieredStopAtLevel=1"
"""Of Java: these jobs end before the thorough one pays."""

# Until a start counts as hung, on a busy machine too.
_SECONDS_TO_START = 240
_SECONDS_TO_STOP = 10


class BeamCluster:
    """A running job server with an engine inside, and a pool that starts Python workers.

    Args:
      endpoint: `host:port` of the job server.
      workers: `host:port` of the worker pool.
      log: of the job server and of its engine.
      server: the job server's process.
    """

    def __init__(self, endpoint: str, workers: str, log: Path, server: subprocess.Popen):
        self.endpoint, self.workers, self.log, self.server = endpoint, workers, log, server

    def jobs(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Returns every job that the server has seen: id to state and pipeline options."""
        with grpc.insecure_channel(self.endpoint) as channel:
            stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
            reply = stub.GetJobs(beam_job_api_pb2.GetJobsRequest(), timeout=20)
        return {
            job.job_id: (
                beam_job_api_pb2.JobState.Enum.Name(job.state),
                json_format.MessageToDict(job.pipeline_options),
            )
            for job in reply.job_info
        }


@contextlib.contextmanager
def start(engine: str, folder: Path, *flags: str) -> Iterator[BeamCluster]:
    """Runs a cluster until the block ends, however it ends.

    Args:
      engine: flink or spark; `make <engine>-jars` was called.
      folder: for logs and for all that the engine and its workers write.
      flags: of the job server.

    Yields:
      the cluster, once it accepts jobs.

    Raises:
      RuntimeError: a process ended or was not ready in time; with the end of its log.
    """
    folder.mkdir()
    environment = {
        "JDK_JAVA_OPTIONS": f'"-Djava.io.tmpdir={folder}" {QUICK_COMPILER}',
        # The pool starts its workers as `python`.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        # Else Spark takes the machine's other address.
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TMPDIR": str(folder),
    }
    port = free_port()
    pool = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
    pool.append(f"--service_port={port}")
    with (
        job_server(engine, folder, environment, *flags) as (serving, endpoint),
        run(pool, folder / "workers.log", environment) as working,
    ):
        _await_port(working, folder / "workers.log", port)
        yield BeamCluster(endpoint, f"127.0.0.1:{port}", folder / "server.log", serving)


@contextlib.contextmanager
def job_server(
    engine: str, folder: Path, environment: Mapping[str, str], *flags: str
) -> Iterator[tuple[subprocess.Popen, str]]:
    """Runs Beam's job server, and yields its process and `host:port` once it accepts jobs.

    Args:
      engine: flink or spark.
      folder: for its log, `server.log`, and what is staged.
      environment: variables besides those of this process.
      flags: of the job server.
    """
    command = ["sh", str(REPOSITORY / "docker/job_server.sh"), engine, "--job-port=0"]
    command += ["--artifact-port=0", f"--artifacts-dir={folder}/artifacts", *flags]
    log = folder / "server.log"
    with run(command, log, environment) as process:
        yield process, await_line(process, log, r"JobService started on (\S+)")[1]


@contextlib.contextmanager
def run(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen]:
    """Runs a command in a session of its own, and ends all of the session."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_STOP)
        # The pool's own workers are in its session and outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_SECONDS_TO_STOP)


def await_line(process: subprocess.Popen, log: Path, pattern: str) -> re.Match[str]:
    """Waits until a process has logged what a pattern finds.

    Raises:
      RuntimeError: it ended or did not in time; with the end of its log.
    """
    for _ in _polls(process, log):
        if found := re.search(pattern, log.read_text(errors="replace")):
            return found
    raise RuntimeError(_complaint(f"did not log {pattern!r}", log))


def _await_port(process: subprocess.Popen, log: Path, port: int) -> None:
    for _ in _polls(process, log):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=1),
        ):
            return
    raise RuntimeError(_complaint("was not ready", log))


def _polls(process: subprocess.Popen, log: Path) -> Iterator[None]:
    """Yields now and then while a process may yet become ready."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(_complaint(f"ended with code {process.returncode}", log))
        yield
        time.sleep(0.1)


def _complaint(what: str, log: Path) -> str:
    return f"{log.stem} {what} within {_SECONDS_TO_START} s:\n{log.read_text()[-2000:]}"
