"""Parquet files are read by place and position: names may repeat, other columns hold anything."""

import decimal
import hashlib
import itertools
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.files import parquet, storage
from features.tables import formats, options, places

ROWS = 1000
NESTED = pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))])
READABLE = ["user", "nested", "nested.x", "history", "map", "zone", "vector", "word", "empty"]


def _table() -> pa.Table:
    """Returns a table in which names repeat and columns hold what no job reads."""
    numbers = np.random.default_rng(0).integers(0, 1 << 40, ROWS)
    bytes_that_are_no_text = pa.array([b"\xff"] * ROWS).buffers()
    columns = {
        "user": pa.array(numbers),
        "twice": pa.array(numbers + 1),
        "nested": pa.array([{"x": 1, "y": ["q"]}] * ROWS, NESTED),
        "nested.x": pa.array(numbers + 2),
        "history": pa.array([[n, n + 1] for n in numbers.tolist()]),
        "huge": pa.array([decimal.Decimal(10) ** 60] * ROWS, pa.decimal256(70)),
        "year_10000": pa.array([1 << 60] * ROWS, pa.timestamp("us")),
        "no_text": pa.Array.from_buffers(pa.string(), ROWS, bytes_that_are_no_text),
        "map": pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int64())),
        "zone": pa.array(numbers, pa.timestamp("us", "Mars/Olympus")),
        "vector": pa.array([[1.0, 2.0]] * ROWS, pa.list_(pa.float32(), 2)),
        "word": pa.array([f"w{n % 7}" for n in numbers]).dictionary_encode(),
        "empty": pa.nulls(ROWS),
    }
    names = [*columns, "twice", "last"]
    return pa.table([*columns.values(), pa.array(["a"] * ROWS), pa.array(numbers + 3)], names)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("parquet") / "log.parquet"
    table = _table()
    with pq.ParquetWriter(path, table.schema) as writer:
        for rows in (0, 300, 0, 700, 0):
            writer.write_table(table.slice(0, rows) if rows < 700 else table.slice(300))
    return str(path)


def _read(path: str, names: list[str]) -> pa.Table:
    content = formats.inspect(path, options.DEFAULT)
    batches = [
        batch
        for place in content.places
        for batch in formats.read(path, content.format, place, names, {}, options.DEFAULT)
    ]
    assert all(batch.schema.names == names for batch in batches)
    assert sum(batch.num_rows for batch in batches) == sum(one.rows for one in content.places)
    return pa.Table.from_batches(batches)


def test_places_are_the_row_groups_that_hold_rows(path: str) -> None:
    content = formats.inspect(path, options.DEFAULT)
    found = [(one.first_row, one.rows) for one in content.places]
    assert content.format == "parquet" and found == [(0, 300), (300, 700)]
    assert [one.number for one in content.places] == [1, 3]
    assert content.schema.equals(_table().schema)


def test_columns_are_read_whatever_the_others_are(path: str) -> None:
    table = _table()
    for names in itertools.permutations(READABLE, 2):
        read = _read(path, list(names))
        for name in names:
            wanted = table[name].combine_chunks()
            received = pa.concat_arrays([_decoded(one) for one in read[name].chunks])
            assert received.equals(_decoded(wanted)), names


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def test_a_name_that_repeats_is_not_read(path: str) -> None:
    with pytest.raises(pa.ArrowInvalid, match="'twice' is there 2 times"):
        _read(path, ["user", "twice"])
    with pytest.raises(pa.ArrowInvalid, match="'other' is there 0 times"):
        _read(path, ["other"])


def test_rows_are_counted_without_columns(path: str) -> None:
    assert _read(path, []).num_rows == ROWS


def test_batches_are_bounded(tmp_path: Path) -> None:
    path, rows = tmp_path / "log", 150_000
    pq.write_table(pa.table({"user": np.arange(rows)}), path)
    content = formats.inspect(str(path), options.DEFAULT)
    batches = list(formats.read(str(path), "parquet", content.places[0], ["user"], {},
                                options.DEFAULT))  # fmt: skip
    assert max(batch.num_rows for batch in batches) <= places.BATCH_ROWS
    assert pa.Table.from_batches(batches)["user"].to_pylist() == list(range(rows))


def test_fingerprint_is_of_the_footer(path: str) -> None:
    data = Path(path).read_bytes()
    footer = data[-8 - struct.unpack("<I", data[-8:-4])[0] : -8]
    assert formats.inspect(path, options.DEFAULT).fingerprint == {
        "bytes": len(data),
        "footer_sha256": hashlib.sha256(footer).hexdigest(),
    }


def test_a_file_without_rows(tmp_path: Path) -> None:
    path = str(tmp_path / "log.parquet")
    pq.write_table(_table().slice(0, 0), path)
    content = formats.inspect(path, options.DEFAULT)
    assert content.places == () and content.schema.equals(_table().schema)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"no Parquet at all, but long"])
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(data)
    with pytest.raises(UserInputError, match=r"log\.parquet.*is not a readable .*file"):
        formats.inspect(str(path), options.DEFAULT)


def test_a_truncated_file_is_named(path: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(Path(path).read_bytes()[:-100])
    with pytest.raises(UserInputError, match=r"log.*is not a readable Parquet file"):
        formats.inspect(str(tmp_path / "log"), options.DEFAULT)


@pytest.mark.parametrize("page_version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy"])
@pytest.mark.parametrize("is_encoded", [True, False])
def test_a_flipped_bit_is_found_by_the_pages_checksum(
    tmp_path: Path, page_version: str, compression: str, is_encoded: bool
) -> None:
    # What Arrow promises of `page_checksum_verification`, in either way that files are opened.
    path, rows = str(tmp_path / "log.parquet"), 4_000
    numbers = np.random.default_rng(0).integers(0, 50, rows)
    table = pa.table({"user": numbers, "word": [f"w{n % 37}" for n in range(rows)]})
    settings = {"compression": compression, "data_page_version": page_version}
    parquet.write_table(table, path, row_group_size=1_000, use_dictionary=is_encoded, **settings)
    written = Path(path).read_bytes()
    footer = len(written) - 8 - struct.unpack("<I", written[-8:-4])[0]
    found = 0
    for position in np.random.default_rng(1).integers(4, footer, 40).tolist():
        damaged = bytearray(written)
        damaged[position] ^= 1 << position % 8
        Path(path).write_bytes(damaged)
        for streamed in (True, False):
            try:
                with storage.open_parquet(path, streamed) as file:
                    # Of a page's header some bits mean nothing.
                    assert pa.Table.from_batches(file.iter_batches()).equals(table)
            except (pa.ArrowException, OSError):
                found += 1
    assert found > 70


def test_what_jobs_write_has_checksums(tmp_path: Path) -> None:
    table, path = pa.table({"user": np.arange(100)}), tmp_path / "log.parquet"
    parquet.write_table(table, str(path), compression="none", use_dictionary=False)
    with parquet.table_writer(str(tmp_path / "parts.parquet"), table.schema) as writer:
        writer.write_table(table)
    for one in (path, tmp_path / "parts.parquet"):
        data = bytearray(one.read_bytes())
        place = data.index(np.arange(50, 60).tobytes()) if one == path else 60
        data[place] ^= 1
        one.write_bytes(data)
        with pytest.raises(OSError, match="CRC"), storage.open_parquet(str(one)) as file:
            file.read()


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table({"user": [1], "item_name": [2]}), path)
    path.write_bytes(path.read_bytes().replace(b"item_name", b"item\xffname"))
    with pytest.raises(UserInputError, match=r"log\.parquet' is not a readable Parquet file"):
        formats.inspect(str(path), options.DEFAULT)
