"""The join on a real Flink whose workers are the built image's: bytes, and what is killed."""

import concurrent.futures
import dataclasses
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tests.docker import containers, flink_session
from tests.pipeline import beam_cluster, engine_jobs
from tests.pipeline.training_runs import every_model

pytestmark = [pytest.mark.image, pytest.mark.flink, pytest.mark.slow(seconds=60)]


@pytest.fixture(scope="module")
def jars() -> Path:
    """The class path that `make flink-jars` fetched."""
    return engine_jobs.jars("flink")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables, and room for what the image's user writes."""
    folder = tmp_path_factory.mktemp("image")
    every_model.write_tables(folder)
    # Pytest's own folders are root's alone.
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)
    os.chown(folder, 10001, 10001)
    return folder


@pytest.fixture(scope="module")
def container(folder: Path) -> Iterator[containers.Container]:
    """The image with the folder mounted, as `docker run --network=host` would."""
    volumes, tmpfs = [f"{folder}:{folder}"], ["/tmp:mode=1777"]
    with containers.start(volumes, tmpfs, environment=["HOME=/tmp"]) as running:
        yield running


def command(folder: Path, output: str, *flags: str) -> list[str]:
    """Returns the join, as words after `python`."""
    return ["-m", *every_model.join(folder, output), "--partitions=4", *flags]


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, str]:
    """What the local runner publishes, outside of the image: file to sha256."""
    words = command(folder, "local")
    subprocess.run([sys.executable, *words], check=True, cwd=REPOSITORY, capture_output=True)
    found = engine_jobs.hashes(folder / "local")
    assert len(found) > 4
    return found


@pytest.fixture
def pool(container: containers.Container) -> Iterator[str]:
    """`--environment_type=EXTERNAL` and the pool of workers that it needs."""
    pool = subprocess.Popen(container.command("--worker_pool"), stderr=subprocess.DEVNULL)
    check = ["python", "/usr/local/bin/healthcheck.py"]
    deadline = time.monotonic() + 600
    while container.run(*check, environment={"HEALTH_PORT": "50000"}).returncode:
        assert pool.poll() is None
        assert time.monotonic() < deadline
    yield "--environment_type=EXTERNAL --environment_config=localhost:50000"
    container.kill()
    pool.wait(20)


@pytest.fixture
def process(container: containers.Container, tmp_path: Path) -> str:
    """`--environment_type=PROCESS` and a command that starts a worker in the image."""
    command = tmp_path / "worker"
    words = shlex.join(container.command())
    command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    given = json.dumps({"command": str(command)}, separators=(",", ":"))
    return f"--environment_type=PROCESS --environment_config={given}"


def join(
    container: containers.Container, folder: Path, output: str, endpoint: str, environment: str
) -> subprocess.CompletedProcess:
    """Runs the join in the image, on a Flink."""
    flags = [*environment.split(), "--runner=PortableRunner", f"--job_endpoint={endpoint}"]
    flags += ["--parallelism=2", "--environment_cache_millis=60000"]
    return container.run("python", *command(folder, output, *flags))


@pytest.mark.parametrize("environment", ["pool", "process"])
def test_workers_of_the_image_write_the_local_runners_bytes(
    request: pytest.FixtureRequest,
    jars: Path,
    expected: dict[str, str],
    folder: Path,
    container: containers.Container,
    tmp_path: Path,
    environment: str,
) -> None:
    flags = request.getfixturevalue(environment)
    with beam_cluster.start("flink", tmp_path / "flink") as cluster:
        run = join(container, folder, environment, cluster.endpoint, flags)
        assert run.returncode == 0, run.stderr
        ((state, _),) = cluster.jobs().values()
    assert state == "DONE"
    assert engine_jobs.hashes(folder / environment) == expected
    assert (folder / environment).stat().st_uid == 10001


HARNESS = "sdk_worker_main"
"""The module of a worker process."""

PARTITIONS, COPIES = 16, 100
"""Of the long log: both workers write for some seconds."""


@dataclasses.dataclass(frozen=True)
class LongJoin:
    """A join whose log is so long that a kill finds it while it writes.

    Attributes:
      folder: of its tables and outputs.
      hashes: what the local runner publishes.
    """

    folder: Path
    hashes: dict[str, str]

    def command(self, output: str, *flags: str) -> list[str]:
        """Returns the join, as words after `python`."""
        return command(self.folder, output, f"--partitions={PARTITIONS}", *flags)


@pytest.fixture(scope="module")
def long_join(folder: Path) -> LongJoin:
    long = folder / "long"
    every_model.write_tables(long)
    log = pq.read_table(long / "log")
    copies = []
    for copy in range(COPIES):
        columns = {name: log[name] for name in log.column_names}
        for name in ("request_id", "timestamp"):
            values = log[name].to_numpy()
            columns[name] = pa.array(values + copy * (values[-1] - values[0] + 60))
        copies.append(pa.table(columns))
    pq.write_table(pa.concat_tables(copies), long / "log/part-0.parquet", row_group_size=20_000)
    os.chown(long, *map(int, containers.USER.split(":")))
    words = LongJoin(long, {}).command("local")
    subprocess.run([sys.executable, *words], check=True, cwd=REPOSITORY, capture_output=True)
    return LongJoin(long, engine_jobs.hashes(long / "local"))


@dataclasses.dataclass(frozen=True)
class Strategy:
    """How Flink begins a failed job again.

    Attributes:
      restarts: how often.
      seconds: how long after each failure.
      cache_millis: how long a task manager keeps a worker that no stage uses.
    """

    restarts: int
    seconds: int
    cache_millis: int


NO_RESTART = Strategy(0, 1, 60_000)
AFTER_THE_CACHE = Strategy(3, 20, 5_000)
WITHIN_THE_CACHE = Strategy(2, 1, 60_000)


def kill_worker(container: containers.Container, session: flink_session.FlinkSession) -> None:
    """Kills one of the two workers."""
    first, _ = [one for one, line in container.processes().items() if HARNESS in line]
    os.kill(first, signal.SIGKILL)


def kill_task_manager(container: containers.Container, session: flink_session.FlinkSession) -> None:
    """Kills one of the two task managers."""
    os.killpg(session.task_managers[0].pid, signal.SIGKILL)


@pytest.mark.slow(seconds=150)
@pytest.mark.parametrize(
    ("kill", "strategy", "ends_with"),
    [
        pytest.param(kill_worker, NO_RESTART, 75, id="worker-no_restart"),
        pytest.param(kill_worker, AFTER_THE_CACHE, 0, id="worker-after_the_cache"),
        # A limit that docs/clusters.md tells of: Beam keeps the dead worker.
        pytest.param(kill_worker, WITHIN_THE_CACHE, 75, id="worker-within_the_cache"),
        pytest.param(kill_task_manager, NO_RESTART, 75, id="task_manager-no_restart"),
        pytest.param(kill_task_manager, AFTER_THE_CACHE, 0, id="task_manager-after_the_cache"),
    ],
)
def test_after_a_kill_the_join_restarts_or_fails_and_nothing_partial_is_visible(
    jars: Path,
    long_join: LongJoin,
    container: containers.Container,
    pool: str,
    tmp_path: Path,
    kill: Callable[[containers.Container, flink_session.FlinkSession], None],
    strategy: Strategy,
    ends_with: int,
) -> None:
    name = f"{kill.__name__}-{strategy.restarts}"
    output, building = long_join.folder / name, long_join.folder / f"{name}.building"
    before = set(os.listdir(long_join.folder))
    with (
        flink_session.start(
            tmp_path / "flink", jars, strategy.restarts, strategy.seconds
        ) as session,
        concurrent.futures.ThreadPoolExecutor() as threads,
    ):
        flags = [*pool.split(), "--runner=PortableRunner", f"--job_endpoint={session.endpoint}"]
        flags += ["--parallelism=2", f"--environment_cache_millis={strategy.cache_millis}"]
        words = ["python", *long_join.command(name, *flags)]
        joining = threads.submit(container.run, *words)
        deadline = time.monotonic() + 600
        while not list(building.glob("*.tfrecord")):
            assert not joining.done(), joining.result().stderr
            assert time.monotonic() < deadline
            time.sleep(0.02)
        kill(container, session)
        assert not output.exists(), "the kill came too late"
        run = joining.result()
        assert run.returncode == ends_with, run.stderr
        if ends_with == 0:
            assert 1 <= session.restarts() <= strategy.restarts
        else:
            assert session.restarts() == strategy.restarts
            assert "\nError: The engine lost a worker or a task manager of this job" in run.stderr
            assert "Nothing was published." in run.stderr
            assert "Traceback" not in run.stderr
            # The other worker goes on for a while, and writes nowhere.
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                assert set(os.listdir(long_join.folder)) == before
                time.sleep(0.1)
        if strategy is NO_RESTART:
            run = container.run(*words)
            assert run.returncode == 0, run.stderr
    if run.returncode == 0:
        assert engine_jobs.hashes(output) == long_join.hashes
        assert set(os.listdir(long_join.folder)) == {*before, name}
