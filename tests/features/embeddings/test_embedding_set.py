"""Embedding sets: rows read, rows rejected with a reason, and errors that stop the job."""

import json
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import byte_vectors, embedding_files, embedding_set, similarity
from features.errors import UserInputError
from features.ids import hashing


def write(path, ids, vectors, kind=None, **columns):
    kind = kind or pa.list_(pa.float32())
    table = pa.table({"item_id": ids, "embedding": pa.array(vectors, kind), **columns})
    pq.write_table(table, path)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("ids", [[30, -1, 7], ["c", "a", "b"]], ids=["int", "str"])
def test_written_equals_read(tmp_path, dtype, ids):
    vectors = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
    embedding_set.write_embedding_set(str(tmp_path), np.array(ids), vectors, "encoder", "1")
    found = embedding_set.read_embedding_set(str(tmp_path))
    rows = found.rows(hashing.ids_of_column(pa.array(ids)))
    quantized, norms = similarity.quantize(vectors)
    np.testing.assert_array_equal(found.quantized[rows], quantized)
    np.testing.assert_array_equal(found.norms[rows], norms)
    assert np.all(np.diff(found.item_ids) > 0)
    assert found.dimension == 4
    assert found.rejected == ()


@pytest.mark.parametrize("ids", [[2**62, -(2**63)], [-(2**63), 2**62, 2**63 - 1], [7, 3]])
def test_rows_are_by_ascending_id_however_far_apart_ids_are(ids):
    vectors = np.arange(1, len(ids) * 2 + 1).reshape(-1, 2).astype(np.float32)
    found = embedding_set.from_vectors(np.array(ids), vectors)
    assert found.item_ids.tolist() == sorted(ids)
    quantized, norms = similarity.quantize(vectors)
    np.testing.assert_array_equal(found.quantized[found.rows(np.array(ids))], quantized)
    np.testing.assert_array_equal(found.norms[found.rows(np.array(ids))], norms)


def test_unknown_items_have_the_zero_row():
    found = embedding_set.from_vectors(np.array([5, 3]), np.eye(2, dtype=np.float32))
    assert found.rows(np.array([[3, 4], [5, 9]])).tolist() == [[0, 2], [1, 2]]
    assert found.norms[2] == 0
    assert not found.quantized[2].any()


def test_bad_rows_are_left_out_with_reasons(tmp_path):
    nan, inf = float("nan"), float("inf")
    vectors = [[1, 2], [1, nan], [inf, 0], None, [1], [1, 2, 3], [1, 1], [2, 1], [0, 0]]
    write(tmp_path / "a.parquet", [1, 2, 3, 4, 5, 6, None, 1, 9], vectors)
    found = embedding_set.read_embedding_set(str(tmp_path))
    assert found.item_ids.tolist() == [1, 9]
    assert {row["row"]: row["reason"] for row in found.rejected} == {
        1: "embedding holds NaN or infinity",
        2: "embedding holds NaN or infinity",
        3: "embedding is null",
        4: "embedding does not have 2 values",
        5: "embedding does not have 2 values",
        6: "item_id is null",
        7: "item_id appeared before",
    }
    np.testing.assert_array_equal(found.quantized[0], [64, 127])


def test_reading_holds_a_set_in_memory_once(tmp_path):
    rows = np.random.default_rng(0).integers(-126, 127, (40_000, 128)).astype(np.int8)
    rows[:, 0] = 127
    table = pa.table({"item_id": np.arange(len(rows)), "embedding": byte_vectors.to_column(rows)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1000)
    tracemalloc.start()
    try:
        found = embedding_set.read_embedding_set(str(tmp_path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    arrays = (found.item_ids, found.quantized, found.norms, found.available_at)
    assert peak < 1.5 * sum(array.nbytes for array in arrays)


@pytest.mark.parametrize("ascending", [True, False])
def test_the_first_good_row_of_an_item_counts_wherever_it_lies(tmp_path, ascending):
    random = np.random.default_rng(1)
    ids = np.arange(100) if ascending else random.integers(0, 40, 100)
    vectors = random.normal(size=(100, 3)).astype(np.float32)
    nulls = [0, 7, 29, 30, 98, 99]
    values = [None if row in nulls else vectors[row] for row in range(100)]
    times = random.integers(0, 1000, 100)
    for name, rows in {"a": slice(0, 31), "b": slice(31, 100)}.items():
        table = pa.table({"item_id": ids[rows], "available_at": times[rows]})
        embedding = pa.array(values[rows], pa.list_(pa.float32()))
        pq.write_table(
            table.append_column("embedding", embedding),
            tmp_path / f"{name}.parquet",
            row_group_size=10,
        )
    first = {}
    for row in range(100):
        if row not in nulls:
            first.setdefault(int(ids[row]), row)
    kept = [first[item] for item in sorted(first)]
    found = embedding_set.read_embedding_set(str(tmp_path))
    expected = embedding_set.from_vectors(ids[kept], vectors[kept], times[kept])
    for name in ("item_ids", "quantized", "norms", "available_at"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.fingerprint == expected.fingerprint
    left_out = [row for row in range(100) if row not in kept]
    assert [(row["file"], row["row"], row["reason"]) for row in found.rejected] == [
        (
            str(tmp_path / ("a.parquet" if row < 31 else "b.parquet")),
            row if row < 31 else row - 31,
            "embedding is null" if row in nulls else embedding_files.DUPLICATE,
        )
        for row in left_out
    ]


def test_fixed_size_lists_and_int8(tmp_path):
    write(tmp_path / "a.parquet", [2, 1], [[5, 0], [1, -2]], pa.list_(pa.int8(), 2))
    found = embedding_set.read_embedding_set(str(tmp_path))
    np.testing.assert_array_equal(found.quantized[0], [64, -127])


def test_a_quantized_set_reads_as_the_floats_it_was_made_of(tmp_path):
    random = np.random.default_rng(0)
    ids, vectors = random.permutation(300)[:200], random.normal(size=(200, 12)).astype(np.float32)
    vectors[::7] = 0
    written = embedding_set.from_vectors(ids, vectors)
    rows = [None if row == 50 else written.quantized[row] for row in range(200)]
    write(tmp_path / "a.parquet", written.item_ids, rows, pa.list_(pa.int8()))
    found = embedding_set.read_embedding_set(str(tmp_path))
    kept = np.delete(np.arange(201), 50)
    np.testing.assert_array_equal(found.quantized, written.quantized[kept])
    np.testing.assert_array_equal(found.norms, written.norms[kept])
    assert [row["row"] for row in found.rejected] == [50]


def test_bytes_are_read_as_the_lists_that_they_stand_for(tmp_path):
    vectors = np.random.default_rng(0).integers(-127, 128, (50, 12)).astype(np.int8)
    rows = [None if row == 7 else values for row, values in enumerate(vectors)]
    for name, kind, values in (
        ("lists", pa.list_(pa.int8()), rows),
        ("bytes", pa.binary(12), [None if row is None else row.tobytes() for row in rows]),
    ):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.parquet", np.arange(50), values, kind)
    lists, found = (
        embedding_set.read_embedding_set(str(tmp_path / name)) for name in ("lists", "bytes")
    )
    assert found.fingerprint == lists.fingerprint
    np.testing.assert_array_equal(found.norms, lists.norms)
    assert [row["row"] for row in found.rejected] == [7]


def test_a_slice_of_bytes_is_its_own_rows():
    vectors = np.random.default_rng(0).integers(-127, 128, (9, 4)).astype(np.int8)
    column = byte_vectors.to_column(vectors)
    part = byte_vectors.as_lists(column.slice(3, 4))
    assert part.to_pylist() == vectors[3:7].tolist()
    gaps = pa.array([None, *(row.tobytes() for row in vectors)], pa.binary(4)).slice(0, 3)
    assert byte_vectors.as_lists(gaps).to_pylist() == [None, *vectors[:2].tolist()]


def test_what_arrow_cannot_read(tmp_path):
    write(tmp_path / "a.parquet", [1, 2], [[1, -2], None], pa.list_(pa.int8(), 2))
    with pytest.raises(UserInputError, match=r"cannot be read: .*fixed-size list must hold no"):
        embedding_set.read_embedding_set(str(tmp_path))


def test_available_at(tmp_path):
    write(tmp_path / "a.parquet", [2, 1], [[1, 2], [3, 4]], available_at=pa.array([7, None]))
    found = embedding_set.read_embedding_set(str(tmp_path))
    assert found.available_at[[0, 1]].tolist() == [np.iinfo(np.int64).min, 7]


def test_fingerprint_follows_the_values():
    ids, vectors = np.array([1, 2]), np.eye(2, dtype=np.float32)
    base = embedding_set.from_vectors(ids, vectors).fingerprint
    assert embedding_set.from_vectors(ids[::-1], vectors[::-1]).fingerprint == base
    assert embedding_set.from_vectors(ids, vectors[::-1]).fingerprint != base
    assert embedding_set.from_vectors(ids, vectors, np.array([0, 1])).fingerprint != base


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"item_id": [1]}, "no column 'embedding'"),
        ({"embedding": [[1.0]]}, "no column 'item_id'"),
        ({"item_id": [1.5], "embedding": [[1.0]]}, "'item_id' is double, expected int64 or str"),
        ({"item_id": [1], "embedding": [["x"]]}, "'embedding' is list.*expected a list of float"),
        ({"item_id": [1], "embedding": [[float("nan")]]}, "no usable row"),
        (
            {"item_id": [1], "embedding": [[1.0]], "available_at": [1.5]},
            "'available_at' is double, expected int64 .*, timestamps, dates or ISO texts",
        ),
    ],
)
def test_what_stops_the_job(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(UserInputError, match=message):
        embedding_set.read_embedding_set(str(tmp_path))


def test_folders_that_hold_nothing(tmp_path):
    with pytest.raises(UserInputError, match=r"holds no data: it is empty"):
        embedding_set.read_embedding_set(str(tmp_path))
    with pytest.raises(UserInputError, match="does not exist"):
        embedding_set.read_embedding_set(str(tmp_path / "absent"))
    (tmp_path / "a.parquet").write_text("text")
    with pytest.raises(UserInputError, match=r"not a readable \.parquet file"):
        embedding_set.read_embedding_set(str(tmp_path))


def test_manifest_is_binding(tmp_path):
    vectors = np.eye(2, dtype=np.float32)
    embedding_set.write_embedding_set(str(tmp_path), np.array([1, 2]), vectors, "encoder", "1")
    described = json.loads((tmp_path / "manifest.json").read_text())
    assert (described["dimension"], described["count"]) == (2, 2)
    write(tmp_path / "part-00000.parquet", [1], [[1, 2]])
    with pytest.raises(UserInputError, match="is not the file"):
        embedding_set.read_embedding_set(str(tmp_path))
