"""Inputs that cannot be read: one sentence with file and place, exit code 2, nothing published."""

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import faults, quick_python
from tests.pipeline.join import logs


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return Path(logs.write_log(tmp_path / "log", logs.random_rows(0)))


def _refused(log: Path, *flags: str, env: dict[str, str] | None = None, code: int = 2) -> str:
    """Joins and returns the message."""
    before = sorted(one.name for one in log.parent.iterdir())
    done = quick_python.run_job(
        "pipeline.build_examples",
        *(f"--events={log}", f"--output={log.parent / 'out'}", "--partitions=2", *flags),
        env=env,
        timeout=100,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(one.name for one in log.parent.iterdir()) == before
    return done.stderr.splitlines()[-1]


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("make", [os.mkfifo, _socket, _loop])
def test_what_is_no_file_is_refused_at_once(log: Path, make: Callable) -> None:
    make(log / "part-2.parquet")
    assert "part-2.parquet' is no file that can be read" in _refused(log)


def test_a_file_without_permission(log: Path) -> None:
    (log / "part-1.parquet").chmod(0)
    message = _refused(log, env=faults.environment("permissions"))
    assert message.startswith(f"Error: --events: '{log}/part-1.parquet' cannot be opened: ")
    assert "Permission denied" in message


def test_a_file_that_is_removed_after_it_was_listed(log: Path) -> None:
    path = log / "part-1.parquet"
    point = ("replace", "before", "features.tables.formats:inspect", 1, "*part-0*", path)
    message = _refused(log, env=faults.environment(point))
    assert message.startswith(f"Error: --events: '{path}' cannot be opened: [Errno 2] ")


@pytest.mark.parametrize("call", ["1", "3"])
def test_a_disk_that_fails(log: Path, call: str) -> None:
    # The first is the pre-flight's; the third is in a worker, after the look at the times.
    point = ("EIO", "before", "features.files.storage:open_parquet", call, "*part-1*")
    message = _refused(log, env=faults.environment(point), code=75)
    assert f"'{log}/part-1.parquet'" in message
    assert "Run the same command again." in message
    assert "Input/output error" in message


def _damage(path: Path, group: int) -> None:
    """Writes zeros over a page of a column of a row group."""
    chunk = pq.read_metadata(path).row_group(group).column(0)
    data = bytearray(path.read_bytes())
    place = chunk.data_page_offset + chunk.total_compressed_size // 4
    data[place : place + 16] = struct.pack("16x")
    path.write_bytes(data)


@pytest.mark.guarantee("damaged", "build_examples")
def test_a_damaged_page_is_named_by_row_group(log: Path) -> None:
    table = pq.read_table(log / "part-1.parquet")
    pq.write_table(table, log / "part-1.parquet", row_group_size=17, write_page_checksum=True)
    _damage(log / "part-1.parquet", 2)
    message = _refused(log)
    assert message.startswith(
        f"Error: --events: '{log}/part-1.parquet', row group 2, rows 34 to 51, cannot be read: "
    )
    assert "Nothing was published." in message


@pytest.mark.parametrize("strategy", ["broadcast", "shuffle"])
@pytest.mark.guarantee("damaged", "build_examples")
def test_damaged_vectors_are_named_by_row_group(log: Path, tmp_path: Path, strategy: str) -> None:
    items = [f"item-{number}" for number in range(12)]
    logs.write_embeddings(tmp_path / "text", logs.random_embeddings(0, items, 64))
    path = tmp_path / "text/part.parquet"
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=4, write_page_checksum=True)
    _damage(path, 1)
    message = _refused(log, f"--embeddings=text={path}", f"--embedding_strategy={strategy}")
    assert message.startswith(f"Error: --embeddings text: '{path}', row group 1, rows 4 to 8, ")


def test_several_places_are_counted(log: Path) -> None:
    for name in ("part-0.parquet", "part-1.parquet"):
        table = pq.read_table(log / name)
        pq.write_table(table, log / name, row_group_size=17, write_page_checksum=True)
        _damage(log / name, 1)
    message = _refused(log)
    assert message.startswith(f"Error: --events: '{log}/part-0.parquet', row group 1, ")
    assert "1 more place cannot be read." in message
