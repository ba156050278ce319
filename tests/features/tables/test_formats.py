"""A file's format is known by its bytes; the same table is read alike from every format."""

import bz2
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, orc

from features.errors import UserInputError
from features.tables import formats, kinds
from features.tables.options import DEFAULT, TableOptions
from tests.s3_server import S3

MICROSECONDS = pa.timestamp("us")
CLEAN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
# 2026 give or take 30 years, whose microseconds every format keeps.
MOMENTS = st.integers(820_000_000_000_000, 2_700_000_000_000_000)
COLUMNS = {
    "user_id": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "item_id": (pa.string(), CLEAN_TEXT),
    "timestamp": (MICROSECONDS, MOMENTS),
    "rating": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "click": (pa.bool_(), st.booleans()),
    "price": (pa.float32(), st.floats(allow_nan=False, allow_infinity=False, width=32)),
}
ROWS = st.lists(st.tuples(*(st.none() | values for _, values in COLUMNS.values())), max_size=30)


def _write(table: pa.Table, folder: Path) -> list[str]:
    """Writes a table in every format, and returns the paths."""
    pq.write_table(table, folder / "log", row_group_size=7)
    orc.write_table(table, folder / "log.orc")
    csv.write_csv(table, folder / "log.csv")
    with gzip.open(folder / "log.csv.gz", "wb") as packed:
        packed.write((folder / "log.csv").read_bytes())
    lines = [json.dumps(row, default=str) + "\n" for row in table.to_pylist()]
    (folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")
    return [str(folder / f"log{suffix}") for suffix in ("", ".orc", ".csv", ".csv.gz", ".jsonl")]


def _read(path: str, types: dict[str, pa.DataType]) -> pa.Table:
    content = formats.inspect(path, DEFAULT)
    batches = [
        pa.record_batch(
            [kinds.converted(batch[name], kind) for name, kind in types.items()], list(types)
        )
        for place in content.places
        for batch in formats.read(path, content.format, place, list(types), types, DEFAULT)
    ]
    return pa.Table.from_batches(batches, pa.schema(list(types.items()))).combine_chunks()


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_every_format_gives_the_same_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    types = {name: kind for name, (kind, _) in COLUMNS.items()}
    columns = [
        pa.array([row[place] for row in rows], pa.int64()).cast(kind)
        if kind == MICROSECONDS
        else pa.array([row[place] for row in rows], kind)
        for place, kind in enumerate(types.values())
    ]
    table = pa.table(columns, list(types))
    paths = _write(table, tmp_path_factory.mktemp("formats"))
    for path in paths:
        assert _read(path, types).equals(table), path


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("log.csv", b"a,b\n", "csv"),
        ("LOG.CSV", b"a,b\n", "csv"),
        ("log.json", b'{"a": 1}\n', "json"),
        ("log.ndjson.gz", gzip.compress(b'{"a": 1}\n', mtime=0), "json"),
        ("log.json", gzip.compress(b'{"a": 1}\n', mtime=0), "json"),
        ("log.csv.gz", b"a,b\n", "csv"),
        ("part-00000", b'\n {"a": 1}\n', "json"),
        ("part-00000-c000", gzip.compress(b'{"a": 1}\n', mtime=0), "json"),
        ("log.2026-05-01", b'{"a": 1}\n', "json"),
        ("log.csv", b"ORCID,b\n1,2\n", "csv"),
        ("log.csv", b"PAR1,b\n1,2\n", "csv"),
        ("log.csv", b"BZh,b\n1,2\n", "csv"),
        ("log.csv", bz2.compress(b""), "csv"),
    ],
)
def test_formats_of_texts(tmp_path: Path, name: str, data: bytes, found: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert formats.inspect(str(path), DEFAULT).format == found


@pytest.mark.parametrize("name", ["log", "log.csv", "log.json", "log.parquet", "log.c000"])
def test_binary_formats_whatever_the_name(tmp_path: Path, name: str) -> None:
    table = pa.table({"a": [1, 2]})
    pq.write_table(table, tmp_path / name)
    assert formats.inspect(str(tmp_path / name), DEFAULT).format == "parquet"
    if name != "log.parquet":
        orc.write_table(table, tmp_path / name)
        assert formats.inspect(str(tmp_path / name), DEFAULT).format == "orc"


@pytest.mark.parametrize(
    ("name", "data", "received"),
    [
        ("log", b"user_id,item_id\n", "begins with b'user_id,item_id"),
        ("log.txt", b"user_id,item_id\n", "begins with b'user_id,item_id"),
        ("log", b"", "begins with b''"),
        ("log", b"\x1f\x8b not gzip", "begins with"),
        ("log.parquet", b"a,b\n", r"not a readable .parquet file: it begins with b'a,b"),
        ("log.npy", b"a,b\n", r"not a readable .npy file: it begins with b'a,b"),
        ("log.csv", "a,b\n".encode("utf-16"), "is text in UTF-16"),
        ("log", b"Obj\x01avro", "is an Avro file"),
        ("log.arrow", b"ARROW1\0\0", "is an Arrow"),
        ("log.xlsx", b"PK\x03\x04", "is a zip archive or a spreadsheet"),
    ],
)
def test_other_formats_are_refused(tmp_path: Path, name: str, data: bytes, received: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserInputError, match=rf"{name}' (is )?{received}.*[Ww]rite it"):
        formats.inspect(str(path), DEFAULT)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"log\.csv' cannot be opened"):
        formats.inspect(str(tmp_path / "log.csv"), DEFAULT)


def test_remote_files(tmp_path: Path, s3: S3) -> None:
    numbers = np.random.default_rng(0).integers(0, 1 << 40, 100)
    table = pa.table({"user_id": numbers, "item_id": [f"item, {n}" for n in numbers]})
    paths = _write(table, tmp_path)
    np.save(tmp_path / "v.npy", numbers.reshape(-1, 2).astype(np.float32))
    (tmp_path / "v.ids.txt").write_text("\n".join(map(str, range(50))))
    root = s3.upload(s3.bucket(), tmp_path, "logs")
    types = {"user_id": pa.int64(), "item_id": pa.string()}
    for path in paths:
        assert _read(f"{root}/{Path(path).name}", types).equals(table), path
    content = formats.inspect(f"{root}/v.npy", TableOptions())
    (batch,) = formats.read(f"{root}/v.npy", "npy", content.places[0], ["item_id"], {}, DEFAULT)
    assert batch["item_id"].to_pylist() == list(range(50))
