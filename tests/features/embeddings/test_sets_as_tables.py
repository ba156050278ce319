"""Embedding sets of any type, format and layout: the same vectors give the same set."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import embedding_files, embedding_set
from features.embeddings.embedding_set import read_embedding_set
from features.errors import UserInputError
from features.tables.options import TableOptions
from tests import manifests

IDS = [7, 3, 12, 5]
VECTORS = np.array([[1, -2, 4], [3, 0, 1], [-8, 2, 2], [1, 1, 5]], np.float32)
EXPECTED = embedding_set.from_vectors(np.array(IDS), VECTORS).fingerprint


def write(path, kind=None, rows=slice(None), **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = VECTORS[rows].tolist()
    embedding = pa.array(values, kind or pa.list_(pa.float32()))
    table = pa.table({"item_id": IDS[rows], "embedding": embedding, **columns})
    pq.write_table(table, path)


def read(location, **options):
    opened = embedding_files.open_files(str(location), "embeddings text", TableOptions(**options))
    return embedding_set.read_files(opened)


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float16()),
        pa.list_(pa.float64(), 3),
        pa.large_list(pa.float32()),
        pa.list_view(pa.float32()),
        pa.large_list_view(pa.float64()),
        pa.list_(pa.int8()),
        pa.list_(pa.int64()),
        pa.large_list(pa.uint16()),
    ],
    ids=str,
)
def test_vectors_of_every_type_are_the_same_set(tmp_path, kind):
    values = np.abs(VECTORS) if kind.value_type == pa.uint16() else VECTORS
    embedding = pa.array(values.tolist(), kind)
    pq.write_table(pa.table({"item_id": IDS, "embedding": embedding}), tmp_path / "a.parquet")
    expected = embedding_set.from_vectors(np.array(IDS), values).fingerprint
    assert read_embedding_set(str(tmp_path)).fingerprint == expected


def test_a_null_among_views_moves_no_vector(tmp_path):
    embedding = pa.array([[1, 2], None, [3, 4]], pa.list_view(pa.float32()))
    pq.write_table(pa.table({"item_id": [1, 2, 3], "embedding": embedding}), tmp_path / "a.parquet")
    found = read_embedding_set(str(tmp_path))
    assert found.quantized[:-1].tolist() == [[64, 127], [95, 127]]
    assert [row["row"] for row in found.rejected] == [1]


def test_files_of_a_set_may_differ_in_layout_and_width_of_numbers(tmp_path):
    write(tmp_path / "day=1/a.parquet", pa.large_list(pa.float64()), slice(0, 1))
    write(tmp_path / "day=1/b.parquet", pa.list_(pa.float16(), 3), slice(1, 2))
    write(tmp_path / "day=2/deep/c.parquet", None, slice(2, 4))
    assert read(tmp_path).fingerprint == EXPECTED
    assert read(tmp_path / "day=*").fingerprint == EXPECTED
    several = [str(tmp_path / f"day={day}") for day in (1, 2)]
    assert read_embedding_set(several).fingerprint == EXPECTED


def write_csv(path):
    rows = [f'{one},"{row.tolist()}"' for one, row in zip(IDS, VECTORS, strict=True)]
    path.write_text("\n".join(["sku,Vector", *rows, ""]))


def write_json(path):
    rows = ({"sku": one, "Vector": row.tolist()} for one, row in zip(IDS, VECTORS, strict=True))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_npy(path):
    np.save(path, VECTORS)
    path.with_suffix(".ids.txt").write_text("".join(f"{one}\n" for one in IDS))


def write_orc(path):
    from pyarrow import orc

    embedding = pa.array(VECTORS.tolist(), pa.list_(pa.float32()))
    orc.write_table(pa.table({"sku": IDS, "Vector": embedding}), path)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "npy", "orc"])
def test_every_format_is_the_same_set(tmp_path, suffix):
    writers = {"csv": write_csv, "jsonl": write_json, "npy": write_npy, "orc": write_orc}
    writers[suffix](tmp_path / f"a.{suffix}")
    renamed = () if suffix == "npy" else ("embeddings.item_id=sku", "embedding=Vector")
    found = read(tmp_path, columns=renamed)
    assert found.fingerprint == EXPECTED
    assert found.dimension == 3


@pytest.mark.parametrize("empty", ["no_row", "nulls", "null_type", "no_row_group"])
def test_a_first_file_without_a_vector_says_nothing_of_the_set(tmp_path, empty):
    none = {
        "no_row": pa.table({"item_id": pa.array([], pa.string()), "embedding": pa.nulls(0)}),
        "nulls": pa.table({"item_id": [1], "embedding": pa.array([None], pa.list_(pa.float32()))}),
        "null_type": pa.table({"item_id": [1], "embedding": pa.nulls(1)}),
        "no_row_group": pa.table({"item_id": pa.array([], pa.int64())}),
    }[empty]
    pq.write_table(none, tmp_path / "a.parquet")
    write(tmp_path / "b.parquet")
    found = read(tmp_path)
    assert found.fingerprint == EXPECTED
    assert len(found.rejected) == none.num_rows


@pytest.mark.parametrize("fixed", [True, False])
def test_the_width_is_that_of_most_rows_of_all_files(tmp_path, fixed):
    kind = pa.list_(pa.float32(), 2) if fixed else pa.list_(pa.float32())
    few = pa.table({"item_id": [100, 101], "embedding": pa.array([[1, 2], [3, 4]], kind)})
    pq.write_table(few, tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", pa.list_(pa.float32(), 3) if fixed else None)
    found = read(tmp_path)
    assert found.fingerprint == EXPECTED
    assert {row["reason"] for row in found.rejected} == {"embedding does not have 3 values"}
    assert len(found.rejected) == 2


def test_a_narrow_beginning_of_a_large_file_does_not_decide(tmp_path):
    values = [[1.0]] * 1100 + [[1.0, 2.0]] * 60_000
    table = pa.table({"item_id": np.arange(len(values)), "embedding": values})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=len(values))
    assert embedding_files.open_files(str(tmp_path)).dimension == 2


@pytest.mark.parametrize(
    "times",
    [
        pa.array([5_000_000, None, 6_000_000, 7_000_000]),
        pa.array([5, None, 6, 7], pa.timestamp("s")),
        pa.array([5_000, None, 6_000, 7_000], pa.timestamp("ms", "Europe/Paris")),
        pa.array(
            ["1970-01-01T00:00:05", None, "1970-01-01 00:00:06Z", "1970-01-01 01:00:07+01:00"]
        ),
    ],
    ids=["int", "s", "zone", "text"],
)
def test_available_at_of_every_type(tmp_path, times):
    write(tmp_path / "a.parquet", available_at=times)
    found = read(tmp_path)
    in_order = found.available_at[found.rows(np.array(IDS))]
    assert in_order.tolist() == [5_000_000, embedding_files.ALWAYS, 6_000_000, 7_000_000]


def test_a_text_that_is_no_time_is_rejected_with_its_row(tmp_path):
    write(tmp_path / "a.parquet", available_at=["2026-05-01", "soon", None, "2026-05-02"])
    found = read(tmp_path)
    (bad,) = found.rejected
    assert (bad["row"], bad["reason"]) == (1, "available_at is no ISO time from 1970 to 2200")
    assert len(found.item_ids) == 3


def test_ids_of_every_type_are_the_same_items(tmp_path):
    for name, ids in (
        ("a", pa.array(IDS[:2], pa.int16())),
        ("b", pa.array(IDS[2:], pa.uint64()).dictionary_encode()),
    ):
        rows = slice(0, 2) if name == "a" else slice(2, 4)
        embedding = pa.array(VECTORS[rows].tolist(), pa.list_(pa.float32()))
        pq.write_table(pa.table({"item_id": ids, "embedding": embedding}), tmp_path / f"{name}.pq")
    assert read(tmp_path).fingerprint == EXPECTED
    for name, kind in (("strings", pa.large_string()), ("bytes", pa.binary())):
        ids = pa.array(["x", "y", "z", "u"]).cast(kind)
        (tmp_path / name).mkdir()
        table = pa.table({"item_id": ids, "embedding": VECTORS.tolist()})
        pq.write_table(table, tmp_path / name / "a.parquet")
    strings, found = (read(tmp_path / name) for name in ("strings", "bytes"))
    assert strings.fingerprint == found.fingerprint


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sku": [1], "embedding": [[1.0]]}, r"no column 'item_id'.*sku: int64.*--column item_id="),
        ({"item_id": [1], "embedding": ["[1, 2]"]}, r"'embedding' is string, expected a list"),
        (
            {"item_id": [1], "embedding": pa.array([[1]], pa.list_(pa.decimal128(5, 2)))},
            r"a.parquet': column 'embedding' is list<.*decimal",
        ),
        ({"item_id": [1], "embedding": [[[1.0]]]}, "expected a list of floats or integers"),
        (
            {"item_id": [1], "embedding": [[1.0]], "available_at": [{"a": 1}]},
            r"'available_at' is struct.*expected int64",
        ),
    ],
)
def test_refusals_name_file_column_types_and_flag(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(UserInputError, match=rf"^--embeddings text: .*{message}"):
        read(tmp_path)


def test_a_type_of_a_later_file_is_refused_too(tmp_path):
    write(tmp_path / "a.parquet")
    pq.write_table(pa.table({"item_id": [1], "embedding": ["x"]}), tmp_path / "b.parquet")
    with pytest.raises(UserInputError, match=r"b\.parquet': column 'embedding' is string"):
        read(tmp_path)
    pq.write_table(pa.table({"item_id": [1], "other": ["x"]}), tmp_path / "b.parquet")
    with pytest.raises(UserInputError, match=r"b\.parquet' has no column 'embedding', but other"):
        read(tmp_path)


def test_a_manifest_describes_its_files_below_it(tmp_path):
    embedding_set.write_embedding_set(str(tmp_path), np.array(IDS), VECTORS, "encoder", "1")
    described = manifests.earlier(tmp_path / "manifest.json")
    (name,) = described["sha256"]
    (tmp_path / "deep").mkdir()
    (tmp_path / name).rename(tmp_path / "deep" / name)
    with pytest.raises(UserInputError, match=r"is not the file.*sha256 expected None"):
        read(tmp_path)
    described["sha256"] = {f"deep/{name}": described["sha256"][name]}
    (tmp_path / "manifest.json").write_text(json.dumps(described))
    assert read(tmp_path).fingerprint == EXPECTED
    described["sha256"]["deep/lost.parquet"] = "0"
    (tmp_path / "manifest.json").write_text(json.dumps(described))
    with pytest.raises(UserInputError, match=r"1 files of its manifest are not read.*lost"):
        read(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"entries": []}))
    with pytest.raises(UserInputError, match="is no manifest of an embedding set"):
        read(tmp_path)


def test_sets_of_two_encoders_are_not_one(tmp_path):
    for name in ("a", "b"):
        ids = np.array(IDS) + (name == "b") * 100
        embedding_set.write_embedding_set(str(tmp_path / name), ids, VECTORS, name, "1")
    with pytest.raises(UserInputError, match=r"name the encoder 'a 1'.*and 'b 1'"):
        read(tmp_path)


def test_a_row_group_is_not_held_in_memory(tmp_path):
    rows, width = 60_000, 512
    vectors = np.ones(rows * width, np.float32)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors), width)
    table = pa.table({"item_id": np.arange(rows), "embedding": lists})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False, row_group_size=rows)
    del table, lists
    pa.default_memory_pool().release_unused()
    files = embedding_files.open_files(str(tmp_path))
    before, peak = pa.total_allocated_bytes(), 0
    for _ in files.read():
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert peak < vectors.nbytes // 2
