"""NumPy arrays with ids beside them give the rows that were saved, and nothing is unpickled."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.tables import formats, npy_format
from features.tables.options import DEFAULT

ROWS, WIDTH = 1000, 8
RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(ROWS, WIDTH))
INTEGERS = RANDOM.permutation(ROWS) - 5
STRINGS = np.array([f"item {n} é" for n in INTEGERS])


def _save(folder: Path, vectors: np.ndarray, ids: np.ndarray | None = INTEGERS) -> str:
    np.save(folder / "v.npy", vectors)
    if ids is not None:
        np.save(folder / "v.ids.npy", ids)
    return str(folder / "v.npy")


def _read(path: str, names: list[str] | None = None) -> pa.Table:
    content = formats.inspect(path, DEFAULT)
    names = names if names is not None else content.schema.names
    batches = []
    for place in content.places:
        found = list(formats.read(path, "npy", place, names, {}, DEFAULT))
        assert sum(batch.num_rows for batch in found) == place.rows
        batches += found
    return pa.Table.from_batches(batches, pa.schema([content.schema.field(n) for n in names]))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", ">f4"])
def test_rows_are_what_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    monkeypatch.setattr(npy_format, "_PLACE_BYTES", 500)
    vectors = (VECTORS * 20).astype(dtype)
    path = _save(tmp_path, vectors)
    content = formats.inspect(path, DEFAULT)
    starts = [place.first_row for place in content.places]
    assert content.format == "npy" and len(starts) > 10
    assert starts == np.cumsum([0, *(place.rows for place in content.places)])[:-1].tolist()
    table = _read(path)
    assert table["item_id"].to_pylist() == INTEGERS.tolist()
    kind = table.schema.field("embedding").type
    assert pa.types.is_fixed_size_list(kind) and kind.list_size == WIDTH
    read = np.concatenate([chunk.values.to_numpy() for chunk in table["embedding"].chunks])
    np.testing.assert_array_equal(read.reshape(ROWS, WIDTH), vectors)
    assert read.dtype == vectors.dtype.newbyteorder("=")
    assert _read(path, ["embedding", "item_id"]).column_names == ["embedding", "item_id"]
    assert _read(path, ["item_id"]).equals(table.select(["item_id"]))


@pytest.mark.parametrize(
    "ids", [INTEGERS, INTEGERS.astype(np.int16), INTEGERS.astype(np.uint64), STRINGS,
            np.char.encode(STRINGS, "utf-8")]
)  # fmt: skip
def test_ids_of_an_array(tmp_path: Path, ids: np.ndarray) -> None:
    table = _read(_save(tmp_path, VECTORS, ids))
    wanted = ids if ids.dtype.kind != "S" else STRINGS
    assert table["item_id"].to_pylist() == wanted.tolist()


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        (["1", "-2", "0"], [1, -2, 0]),
        (["1", "007", "0"], ["1", "007", "0"]),
        (["1", "a", " b "], ["1", "a", " b "]),
        (["1", "9223372036854775808", "2"], ["1", "9223372036854775808", "2"]),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_ids_line_by_line(tmp_path: Path, lines: list[str], ids: list[Any], ending: str) -> None:
    for last in ("", ending):
        path = _save(tmp_path, VECTORS[:3], None)
        (tmp_path / "v.ids.txt").write_bytes(("\ufeff" + ending.join(lines) + last).encode())
        assert _read(path)["item_id"].to_pylist() == ids


@pytest.mark.parametrize("ids", [INTEGERS, STRINGS])
def test_ids_of_a_table(tmp_path: Path, ids: np.ndarray) -> None:
    path = _save(tmp_path, VECTORS, None)
    other = np.arange(ROWS)
    for columns in ({"other": other, "item_id": ids}, {"key": ids}):
        pq.write_table(pa.table(columns), tmp_path / "v.ids.parquet", row_group_size=300)
        assert _read(path)["item_id"].to_pylist() == ids.tolist()
    table = pa.table({"item_id": pa.array(ids.tolist()).dictionary_encode()})
    pq.write_table(table, tmp_path / "v.ids.parquet")
    assert _read(path)["item_id"].to_pylist() == ids.tolist()
    (tmp_path / "v.ids.parquet").unlink()
    (tmp_path / "v.ids.csv").write_text("item_id\n" + "\n".join(map(str, ids.tolist())))
    assert _read(path)["item_id"].to_pylist() == ids.tolist()


def test_fingerprint_is_of_both_files(tmp_path: Path) -> None:
    path = _save(tmp_path, VECTORS)
    data = Path(path).read_bytes() + (tmp_path / "v.ids.npy").read_bytes()
    assert formats.inspect(path, DEFAULT).fingerprint == {
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_an_array_without_rows(tmp_path: Path) -> None:
    content = formats.inspect(_save(tmp_path, VECTORS[:0], INTEGERS[:0]), DEFAULT)
    assert content.places == () and content.schema.names == ["item_id", "embedding"]


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it was unpickled",)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (VECTORS.reshape(10, 100, WIDTH), r"float64 of shape \[10, 100, 8\]"),
        (VECTORS[:, 0], r"float64 of shape \[1000\]"),
        (VECTORS[:, :0], r"float64 of shape \[1000, 0\]"),
        (np.asfortranarray(VECTORS), r"columns first \(Fortran order\)"),
        (VECTORS.astype(np.int64), r"int64 of shape"),
        (np.array([[_Trap()]], object), r"holds Python objects"),
        (VECTORS[1:], r"has 999 rows, .*v\.ids\.npy' has 1000 ids"),
    ],
)
def test_arrays_that_are_refused(tmp_path: Path, vectors: np.ndarray, message: str) -> None:
    np.save(tmp_path / "v.ids.npy", INTEGERS)
    with open(tmp_path / "v.npy", "wb") as file:
        np.lib.format.write_array(file, vectors)
    with pytest.raises(UserInputError, match=rf"v\.npy.*{message}.*Expected an array"):
        formats.inspect(str(tmp_path / "v.npy"), DEFAULT)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (None, b"", "there are no ids, expected one file"),
        ("v.ids.txt", b"1\n\n2\n", r"line 2 is empty"),
        ("v.ids.txt", b"1\n\xff\n2\n", r"line 2: .* is not UTF-8"),
        ("v.ids.txt", b"1\n2", r"has 3 rows, .*has 2 ids"),
        ("v.ids.csv", b"a,b\n1,2\n", r"has the columns \['a', 'b'\], expected 'item_id'"),
        ("v.ids.npy", pickle.dumps(_Trap()), "is no array of NumPy"),
    ],
)
def test_ids_that_are_refused(tmp_path: Path, name: str | None, data: bytes, message: str) -> None:
    path = _save(tmp_path, VECTORS[:3], None)
    if name:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserInputError, match=rf"v\.npy.*{message}.*X\.ids\.npy"):
        formats.inspect(path, DEFAULT)


@pytest.mark.parametrize("ids", [VECTORS, VECTORS[:, 0], np.array(["a"] * ROWS, object)])
def test_arrays_that_hold_no_ids(tmp_path: Path, ids: np.ndarray) -> None:
    path = _save(tmp_path, VECTORS, ids)
    with pytest.raises(UserInputError, match=r"v\.ids\.npy' (is an array|holds Python objects)"):
        formats.inspect(path, DEFAULT)


def test_two_files_of_ids_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path, VECTORS)
    (tmp_path / "v.ids.txt").write_text("1\n" * ROWS)
    with pytest.raises(UserInputError, match=r"v\.ids\.npy.*v\.ids\.txt.*expected one file"):
        formats.inspect(path, DEFAULT)


def test_a_truncated_array_is_refused(tmp_path: Path) -> None:
    path = Path(_save(tmp_path, VECTORS))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserInputError, match=r"has 64127 bytes, expected 64128"):
        formats.inspect(str(path), DEFAULT)
