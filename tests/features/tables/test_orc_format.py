"""ORC files are read by stripes and give back what was written."""

import decimal
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import orc

from features.errors import UserInputError
from features.tables import formats
from features.tables.options import DEFAULT
from features.tables.places import BATCH_ROWS

ROWS = 200_000
NESTED = pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))])


def _table() -> pa.Table:
    numbers = np.random.default_rng(0).integers(0, 1 << 40, ROWS)
    nullable = pa.array(numbers, mask=numbers % 7 == 0)
    columns = {
        "user": pa.array(numbers),
        "twice": pa.array(numbers + 1),
        "word": pa.array([f"w{n % 70}" for n in numbers]),
        "time": pa.array(numbers, pa.timestamp("ns")),
        "zone": pa.array(numbers, pa.timestamp("ns", "UTC")),
        "history": pa.array([[n, n + 1] for n in numbers.tolist()]),
        "other.x": nullable,
        "nested": pa.array([{"x": 1, "y": ["q"]}] * ROWS, NESTED),
        "year_10000": pa.array([1 << 60] * ROWS, pa.timestamp("us")),
        "price": pa.array([decimal.Decimal("1.25")] * ROWS, pa.decimal128(10, 2)),
        "day": pa.array(numbers % 20_000).cast(pa.int32()).cast(pa.date32()),
        "vector": pa.array(numbers % 3).cast(pa.float32()),
        "seen": pa.array(numbers % 2 == 0),
    }
    return pa.table([*columns.values(), pa.array(numbers)], [*columns, "twice"])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("orc") / "log")
    orc.write_table(_table(), path, stripe_size=1 << 20, compression="zstd")
    return path


def _read(path: str, names: list[str]) -> pa.Table:
    batches = []
    for place in formats.inspect(path, DEFAULT).places:
        found = list(formats.read(path, "orc", place, names, {}, DEFAULT))
        assert sum(batch.num_rows for batch in found) == place.rows
        assert all(batch.schema.names == names for batch in found)
        assert max(batch.num_rows for batch in found) <= BATCH_ROWS
        batches += found
    return pa.Table.from_batches(batches)


def test_places_are_the_stripes(path: str) -> None:
    content = formats.inspect(path, DEFAULT)
    assert content.format == "orc" and len(content.places) > 2
    assert sum(place.rows for place in content.places) == ROWS
    starts = np.cumsum([0, *(place.rows for place in content.places)])
    assert [place.first_row for place in content.places] == starts[:-1].tolist()
    with open(path, "rb") as file:
        data = file.read()
    assert content.fingerprint == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_columns_are_what_was_written(path: str) -> None:
    table = _table()
    readable = [name for name in table.column_names if name not in ("twice", "year_10000")]
    for names in ([readable[-1], readable[0]], readable, *([name] for name in readable)):
        read = _read(path, names)
        for name in names:
            assert read[name].combine_chunks().equals(table[name].combine_chunks()), name


def test_a_name_that_repeats_is_not_read(path: str) -> None:
    with pytest.raises(pa.ArrowInvalid, match="'twice' is there 2 times"):
        _read(path, ["user", "twice"])


def test_rows_are_counted_without_columns(path: str) -> None:
    assert _read(path, []).num_rows == ROWS


def test_a_file_without_rows(tmp_path: Path) -> None:
    path = str(tmp_path / "log.orc")
    orc.write_table(_table().slice(0, 0), path)
    content = formats.inspect(path, DEFAULT)
    assert content.places == () and content.schema.names == _table().column_names


@pytest.mark.parametrize("cut", [3, 50, 5000])
def test_a_damaged_file_is_named(path: str, tmp_path: Path, cut: int) -> None:
    damaged = tmp_path / "log.orc"
    damaged.write_bytes(Path(path).read_bytes()[:-cut])
    with pytest.raises(UserInputError, match=r"log\.orc.*is not a readable ORC file"):
        formats.inspect(str(damaged), DEFAULT)
    damaged.write_bytes(b"user,item\n")
    with pytest.raises(UserInputError, match=r"log\.orc.*begins with b'user,ite', expected b'ORC'"):
        formats.inspect(str(damaged), DEFAULT)


def test_timestamps_need_time_zones(path: str) -> None:
    # Without them a timestamp is an error, not a crash; other columns are read.
    script = (
        "import sys; from features.tables import formats; from features.tables.options import *\n"
        "place = formats.inspect(sys.argv[1], DEFAULT).places[0]\n"
        "print(sum(map(len, formats.read(sys.argv[1], 'orc', place, ['user'], {}, DEFAULT))))\n"
        "list(formats.read(sys.argv[1], 'orc', place, ['time'], {}, DEFAULT))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, path],
        env={**os.environ, "TZDIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1 and int(run.stdout) > 0
    assert "Please install IANA time zone database and set TZDIR" in run.stderr
