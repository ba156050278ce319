"""The join on a real Flink whose workers are the built image's: the local runner's bytes."""

import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.docker import containers
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
    found = hashes(folder / "local")
    assert len(found) > 4
    return found


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


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
    assert hashes(folder / environment) == expected
    assert (folder / environment).stat().st_uid == 10001
