"""Join and vocabulary on a real local Spark: `make test-spark`. Same command, same bytes."""

import concurrent.futures
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.pipeline import beam_cluster, engine_jobs

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def jars() -> Path:
    return engine_jobs.jars("spark")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return engine_jobs.write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def expected(jars: Path, data: Path) -> dict[str, str]:
    return engine_jobs.join_locally(data)


@pytest.fixture(scope="module")
def cluster(
    jars: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[beam_cluster.BeamCluster]:
    """A Spark of two threads."""
    with _start(tmp_path_factory.mktemp("cluster") / "spark", threads=2) as running:
        yield running


def _start(
    folder: Path, threads: int
) -> contextlib.AbstractContextManager[beam_cluster.BeamCluster]:
    return beam_cluster.start("spark", folder, f"--spark-master-url=local[{threads}]")


def _on(cluster: beam_cluster.BeamCluster) -> list[str]:
    flags = ["--runner=PortableRunner", f"--job_endpoint={cluster.endpoint}"]
    return [*flags, "--environment_type=LOOPBACK", "--environment_cache_millis=60000"]


def _masters(cluster: beam_cluster.BeamCluster) -> list[str]:
    """Returns the master of every job that a Spark ran."""
    lines = cluster.log.read_text().splitlines()
    return [line.rsplit(" ", 1)[1] for line in lines if " on Spark master " in line]


def test_spark_publishes_the_local_runners_bytes(
    cluster: beam_cluster.BeamCluster, data: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    before = cluster.jobs()
    run = engine_jobs.join(data, tmp_path / "out", *_on(cluster))
    assert run.returncode == 0, run.stderr
    assert engine_jobs.hashes(tmp_path / "out") == expected
    assert os.listdir(tmp_path) == ["out"]
    (job,) = cluster.jobs().keys() - before.keys()
    assert cluster.jobs()[job][0] == "DONE"
    assert set(_masters(cluster)) == {"local[2]"}


def test_spark_builds_the_local_runners_vocabulary(
    cluster: beam_cluster.BeamCluster, data: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    before = len(_masters(cluster))
    command = [sys.executable, "-m", "pipeline.build_vocabulary", f"--examples={data / 'local'}"]
    for output, flags in (("local", []), ("spark", _on(cluster))):
        subprocess.run(
            [*command, f"--output={tmp_path / output}", *flags],
            check=True,
            cwd=REPOSITORY,
            timeout=600,
        )
    assert engine_jobs.hashes(tmp_path / "spark") == engine_jobs.hashes(tmp_path / "local")
    assert len(_masters(cluster)) == before + 1


def test_one_thread_publishes_the_same_and_a_spark_that_dies_nothing(
    jars: Path, data: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    with (
        _start(tmp_path / "spark", threads=1) as running,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        shuffled = [*_on(running), "--embedding_strategy=shuffle"]
        run = engine_jobs.join(data, tmp_path / "out", *shuffled)
        assert run.returncode == 0, run.stderr
        assert engine_jobs.hashes(tmp_path / "out") == expected
        assert _masters(running) == ["local[1]"]

        log_start = running.log.stat().st_size
        joining = pool.submit(engine_jobs.join, data, tmp_path / "killed", *shuffled)
        _await_task(running, log_start)
        running.server.kill()
        run = joining.result()
    assert run.returncode == 75, run.stderr
    assert "the job server went away while the job ran" in run.stderr.splitlines()[-1]
    assert "Published" not in run.stderr
    assert not (tmp_path / "killed").exists()


def _await_task(cluster: beam_cluster.BeamCluster, log_start: int) -> None:
    """Waits for a task that has ended, so that the job is in its midst."""
    deadline = time.monotonic() + 600
    while b"Finished task" not in cluster.log.read_bytes()[log_start:]:
        assert time.monotonic() < deadline, cluster.log.read_text()[-2000:]
        time.sleep(0.05)
