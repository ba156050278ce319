"""A table whose files change between its opening and the end of reading is refused by name."""

import dataclasses
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, orc

from features.embeddings import embedding_files, embedding_set
from features.errors import UserInputError
from features.tables.table import Table, open_table

FORMATS = ("parquet", "orc", "csv", "csv.gz", "jsonl")


def _write(path: Path, seed: int) -> str:
    """Writes 100 rows; those of another seed differ, and take as many bytes in most formats."""
    numbers = np.random.default_rng(seed).integers(100, 999, 100)
    table = pa.table({"item_id": numbers, "price": numbers + 1})
    lines = "".join(f"{json.dumps(row)}\n" for row in table.to_pylist())
    match path.name.partition(".")[2]:
        case "parquet":
            pq.write_table(table, path, compression="none", use_dictionary=False)
        case "orc":
            orc.write_table(table, path)
        case "csv":
            csv.write_csv(table, path)
        case "csv.gz":
            text = "item_id\n" + "".join(f"{number}\n" for number in numbers)
            path.write_bytes(gzip.compress(text.encode(), 0))
        case _:
            path.write_text(lines, encoding="utf-8")
    return str(path)


def _open(path: str) -> Table:
    return open_table(path, "items", quiet=True)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_replaced_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"items.{suffix}"
    table = _open(_write(path, 0))
    assert table.read(["item_id"]).num_rows == 100
    times = path.stat()
    _write(path, 1)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(UserInputError, match=rf"--items: .*items\.{suffix}' changed while it was"):
        table.read(["item_id"])


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_cannot_be_read_is_explained_by_the_change(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"items.{suffix}"
    table = _open(_write(path, 0))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserInputError, match=r"changed while it was read: it had .* now 40"):
        table.read(["item_id"])
    path.unlink()
    with pytest.raises(UserInputError, match="cannot be found any more"):
        table.read(["item_id"])


def test_a_footer_tells_where_no_time_does(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    table = dataclasses.replace(_open(_write(path, 0)), stamps={})
    table.read(["item_id"])
    size = path.stat().st_size
    _write(path, 1)
    assert path.stat().st_size == size
    with pytest.raises(UserInputError, match=r"items\.parquet' changed .*its footer had sha256"):
        table.read(["item_id"])


def test_an_object_that_is_replaced_within_a_second(tmp_path: Path, s3) -> None:
    bucket = s3.bucket()
    (tmp_path / "log").mkdir()
    _write(tmp_path / "log" / "items.parquet", 0)
    table = _open(s3.upload(bucket, tmp_path / "log", "log"))
    table.read(["item_id"])
    _write(tmp_path / "log" / "items.parquet", 1)
    s3.upload(bucket, tmp_path / "log", "log")
    with pytest.raises(UserInputError, match=r"items\.parquet' changed while it was read"):
        table.read(["item_id"])


def test_ids_beside_vectors_are_a_part_of_them(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", np.eye(4, dtype=np.float32))
    np.save(tmp_path / "set.ids.npy", np.arange(4))
    files = embedding_files.open_files(str(tmp_path / "set.npy"), quiet=True)
    assert embedding_set.read_files(files).item_ids.tolist() == [0, 1, 2, 3]
    np.save(tmp_path / "set.ids.npy", np.arange(4)[::-1])
    with pytest.raises(UserInputError, match=r"set\.ids\.npy' changed while it was read"):
        embedding_set.read_files(files)
