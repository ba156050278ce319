"""Join and backfill on a real local Flink: `make test-flink`. Same command, same bytes."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import REPOSITORY
from tests.pipeline import flink_cluster
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.join import logs
from tests.serving_signatures import serving

pytestmark = [pytest.mark.flink, pytest.mark.slow]

_ITEMS = [f"item-{number}" for number in range(40)]
_PARTITIONS = 5


@pytest.fixture(scope="module")
def jars() -> Path:
    """The class path that `make flink-jars` fetched."""
    folder = Path(os.environ.get("FLINK_JARS") or REPOSITORY / "build/flink/jars")
    if (folder / ".complete").exists():
        return folder
    message = f"no Flink at {folder}: 'make test-flink' fetches it, with a JDK and Maven"
    if os.environ.get("REQUIRE_FLINK") == "1":
        pytest.fail(f"{message} (REQUIRE_FLINK=1)")
    pytest.skip(message)


@pytest.fixture(scope="module")
def cluster(
    jars: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[flink_cluster.FlinkCluster]:
    """A Flink for all tests of this file."""
    with flink_cluster.start(tmp_path_factory.mktemp("cluster") / "flink", jars) as running:
        yield running


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of four files with request ids, duplicates and bad rows, and two embedding sets."""
    folder = tmp_path_factory.mktemp("data")
    rows = logs.random_rows(11, events=1_500, users=60, items=40, moments=200, request_ids=True)
    for number, change in enumerate(
        [{"user_id": None}, {"item_id": None}, {"timestamp": -1}, {"click": None}, {"rating": None}]
    ):
        rows[100 + 250 * number].update(change)
    logs.write_log(folder / "log", rows, files=4, row_group_size=90)
    times = [0, 1_000_500 * 1_000_000]
    logs.write_embeddings(folder / "text", logs.random_embeddings(1, _ITEMS, 8, times=times))
    logs.write_embeddings(folder / "image", logs.random_embeddings(2, _ITEMS[:30], 5))
    return folder


@pytest.fixture(scope="module")
def expected(jars: Path, data: Path) -> dict[str, str]:
    """What the local runner publishes: file to sha256."""
    run = _join(data, data / "local")
    assert run.returncode == 0, run.stderr
    published = json.loads((data / "local" / "manifest.json").read_text())
    assert len(published["shards"]) > _PARTITIONS, "records in several splits"
    assert sum(published["counts"]["quarantined"].values()) >= 4
    assert published["counts"]["dropped"]["duplicate"] > 100
    return _hashes(data / "local")


def _join(data: Path, output: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "pipeline.build_examples", f"--events={data}/log"]
    command += [f"--embeddings={name}={data}/{name}" for name in ("text", "image")]
    command += ["--behavior_rule=all", "--behavior_type=rating >= 4", "--history_length=8"]
    command.append("--negatives=popularity:1")
    command += [f"--partitions={_PARTITIONS}", f"--output={output}", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=240
    )


def _on(cluster: flink_cluster.FlinkCluster, environment: str, parallelism: int) -> list[str]:
    flags = ["--runner=PortableRunner", f"--job_endpoint={cluster.endpoint}"]
    flags += [f"--environment_type={environment}", f"--parallelism={parallelism}"]
    if environment == "EXTERNAL":
        flags.append(f"--environment_config={cluster.workers}")
        # Else every stage starts its workers anew.
        flags.append("--environment_cache_millis=60000")
    return flags


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("environment", "parallelism", "strategy"),
    [("EXTERNAL", 1, "broadcast"), ("EXTERNAL", 3, "shuffle"), ("LOOPBACK", 2, "broadcast")],
)
def test_flink_publishes_the_local_runners_bytes(
    cluster: flink_cluster.FlinkCluster,
    data: Path,
    expected: dict[str, str],
    tmp_path: Path,
    environment: str,
    parallelism: int,
    strategy: str,
) -> None:
    before = cluster.jobs()
    log_start = cluster.log.stat().st_size
    flags = [*_on(cluster, environment, parallelism), f"--embedding_strategy={strategy}"]
    run = _join(data, tmp_path / "out", *flags)
    assert run.returncode == 0, run.stderr
    assert _hashes(tmp_path / "out") == expected
    assert os.listdir(tmp_path) == ["out"]

    (job,) = cluster.jobs().keys() - before.keys()
    state, options = cluster.jobs()[job]
    assert state == "DONE"
    assert int(options["beam:option:parallelism:v1"]) == parallelism
    log = cluster.log.read_bytes()[log_start:].decode()
    subtasks = re.findall(r"\((\d+)/(\d+)\)#\d+ .* switched from RUNNING to FINISHED", log)
    assert (str(parallelism), str(parallelism)) in subtasks


def test_a_row_group_that_no_worker_can_read_publishes_nothing(
    cluster: flink_cluster.FlinkCluster, data: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "data"
    for part in ("log", "text", "image"):
        (broken / part).mkdir(parents=True)
        for source in (data / part).iterdir():
            (broken / part / source.name).write_bytes(source.read_bytes())
    victim = broken / "log" / "part-2.parquet"
    column = pq.ParquetFile(victim).metadata.row_group(1).column(0)
    content = bytearray(victim.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    victim.write_bytes(content)

    run = _join(broken, tmp_path / "out", *_on(cluster, "EXTERNAL", 3))
    assert run.returncode == 2, run.stderr
    assert "part-2.parquet', row group 1, rows 90 to 180, cannot be read: " in run.stderr
    assert "Nothing was published" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.building").exists()


def test_flink_backfills_the_local_runners_bytes(
    cluster: flink_cluster.FlinkCluster, tmp_path: Path
) -> None:
    item_ids = projection_data.catalog(400)
    model = projection_data.save_model(tmp_path / "1", serving.random_model())
    items = projection_data.write_items(tmp_path / "items.parquet", item_ids)
    folders = projection_data.write_embeddings(
        tmp_path, item_ids, projection_data.vectors(item_ids)
    )
    command = [sys.executable, "-m", "pipeline.backfill", f"--saved_model={model}"]
    command += [f"--embeddings={name}={folder}" for name, folder in folders.items()]
    command += [f"--items={items}", "--rows_per_part=50"]
    before = cluster.jobs()
    for output, flags in (("local", []), ("flink", _on(cluster, "EXTERNAL", 2))):
        run = subprocess.run(
            [*command, f"--output={tmp_path / output}", *flags],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            timeout=400,
        )
        assert run.returncode == 0, run.stderr
    (job,) = cluster.jobs().keys() - before.keys()
    assert cluster.jobs()[job][0] == "DONE"
    found = _hashes(tmp_path / "flink")
    assert len(found) == 2 * (8 + 2)
    assert found == _hashes(tmp_path / "local")


def test_a_flink_that_dies_leaves_no_output_and_no_process(
    jars: Path, data: Path, tmp_path: Path
) -> None:
    with (
        concurrent.futures.ThreadPoolExecutor() as pool,
        pytest.raises(KeyboardInterrupt),
        flink_cluster.start(tmp_path / "flink", jars) as running,
    ):
        joining = pool.submit(_join, data, tmp_path / "out", *_on(running, "EXTERNAL", 1))
        _await_worker(tmp_path / "flink")
        assert _descendants(tmp_path / "flink"), "the check below sees processes"
        raise KeyboardInterrupt
    run = joining.result()
    assert run.returncode not in (0, 2), "no fault of the user's"
    assert "Published" not in run.stderr
    assert not (tmp_path / "out").exists()
    assert _descendants(tmp_path / "flink") == []


def _await_worker(folder: Path) -> None:
    deadline = time.monotonic() + 120
    while b"Starting worker" not in (folder / "workers.log").read_bytes():
        assert time.monotonic() < deadline, (folder / "server.log").read_text()[-2000:]
        time.sleep(0.05)


def _descendants(folder: Path) -> list[str]:
    """Returns the processes, by their environment, that work for a cluster."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"TMPDIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().decode())
    return found
