"""Taobao-MM: values, quarantine, embedding set, and a join with given histories."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import embedding_set
from features.errors import UserInputError
from features.files import manifest
from pipeline.adapters import taobao_mm
from tests.pipeline.adapters import converted
from tests.pipeline.join import oracle

SMALLEST, LARGEST = -(2**63), 2**63 - 1
KINDS = {
    "label_0": pa.list_(pa.int8()),
    "150_2_180": pa.list_(pa.int64()),
    "151_2_180": pa.list_(pa.int64()),
    "205_c": pa.list_(pa.int8()),
}
USER_COLUMNS = ("129_1", "130_1", "130_2", "130_3", "130_4", "130_5", "150_2_180", "151_2_180")


def write_rows(path, names, values, **kinds):
    """Writes rows under the published column names and types."""
    columns = list(zip(*values, strict=True)) or [()] * len(names)
    types = {**{name: pa.int64() for name in names}, **KINDS, **kinds}
    arrays = [pa.array(column, types[name]) for name, column in zip(names, columns, strict=True)]
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(pa.table(dict(zip(names, arrays, strict=True))), path, row_group_size=3)


def user(number, history, categories=None):
    return (number, 11, 12, 13, 14, 0, history, categories or [7 for _ in history or ()])


def vector(seed):
    return np.random.default_rng(seed).integers(-127, 128, 128).astype(np.int8).tolist()


SAMPLES = ("label_0", "129_1", "205")
TRAIN = [([0, 1], -5, -100), ([1, 0], -5, 101), ([1, 0], LARGEST, SMALLEST)]
TEST = [([0, 1], -5, 101)]
TRAIN_USERS = [user(-5, [-100, 101, -100]), user(LARGEST, [])]
TEST_USERS = [user(-5, [101, SMALLEST])]
ITEMS = [(-100, 1, 2, 3), (101, 4, 5, None), (SMALLEST, 7, 8, 9)]
VECTORS = [(-100, vector(0)), (101, vector(1))]


def write(folder, train=TRAIN, train_users=TRAIN_USERS, items=ITEMS, vectors=VECTORS):
    write_rows(folder / "train_samples.parquet", SAMPLES, train)
    write_rows(folder / "test_samples.parquet", SAMPLES, TEST)
    write_rows(folder / "train_user_features.parquet", USER_COLUMNS, train_users)
    write_rows(folder / "test_user_features.parquet", USER_COLUMNS, TEST_USERS)
    write_rows(folder / "item_features.parquet", ("205", "206", "213", "214"), items)
    write_rows(folder / "scl_embedding_int8_p90.parquet", ("205", "205_c"), vectors)
    return folder


def test_values(tmp_path):
    source = write(tmp_path / "in")
    converted.convert(taobao_mm, source, tmp_path / "out", max_bad_fraction=0.0)
    out = tmp_path / "out"
    assert [tuple(row.values()) for row in converted.rows(out, "events")] == [
        (-5, -100, 1, "train"),
        (-5, 101, 0, "train"),
        (LARGEST, SMALLEST, 0, "train"),
        (-5, 101, 1, "test"),
    ]
    assert converted.rows(out, "histories") == [
        {"user_id": -5, "split": "train", "item_id": [-100, 101, -100]},
        {"user_id": LARGEST, "split": "train", "item_id": []},
        {"user_id": -5, "split": "test", "item_id": [101, SMALLEST]},
    ]
    assert [tuple(row.values()) for row in converted.rows(out, "users")] == [
        (-5, "train", 11, 12, 13, 14, 0),
        (LARGEST, "train", 11, 12, 13, 14, 0),
        (-5, "test", 11, 12, 13, 14, 0),
    ]
    assert converted.rows(out, "items")[1] == {
        "item_id": 101,
        "attribute_206": 4,
        "attribute_213": 5,
        "attribute_214": None,
    }


def test_embeddings_are_an_embedding_set(tmp_path):
    converted.convert(taobao_mm, write(tmp_path / "in"), tmp_path / "out")
    folder = str(tmp_path / "out" / "embeddings" / "scl")
    found = embedding_set.read_embedding_set(folder)
    expected = embedding_set.from_vectors(
        np.array([-100, 101]), np.array([vector(0), vector(1)], np.int8)
    )
    assert found.fingerprint == expected.fingerprint and not found.rejected
    values = manifest.read_manifest(folder)
    assert (values["dimension"], values["count"], values["version"]) == (128, 2, "int8_p90")


def test_folders_of_parts_below_raw(tmp_path):
    converted.convert(taobao_mm, write(tmp_path / "in"), tmp_path / "one")
    raw = tmp_path / "parts" / "raw"
    write(raw)
    (raw / "train_samples.parquet").unlink()
    write_rows(raw / "train_samples" / "0.parquet", SAMPLES, TRAIN[:1])
    write_rows(raw / "train_samples" / "1.parquet", SAMPLES, [*TRAIN[1:], ([1, 1], 1, 1)])
    converted.convert(taobao_mm, tmp_path / "parts", tmp_path / "out")
    events = converted.rows(tmp_path / "out", "events")
    assert events == converted.rows(tmp_path / "one", "events")
    assert converted.reasons(tmp_path / "out", "events") == [
        ("raw/train_samples/1.parquet", 2, "label_0 is not [0, 1] or [1, 0]")
    ]


def test_broken_samples_are_quarantined(tmp_path):
    labels = [None, [1], [0, 1, 0], [0, 0], [1, 1], [2, -1], [None, 1]]
    bad = [*((label, 1, 1) for label in labels), ([0, 1], None, 1), ([0, 1], 1, None)]
    source = write(tmp_path / "in", train=[TRAIN[0], *bad, TRAIN[1]])
    converted.convert(taobao_mm, source, tmp_path / "out")
    assert len(converted.rows(tmp_path / "out", "events")) == 3
    found = converted.quarantined(tmp_path / "out", "events")
    assert [(one["row"], one["reason"]) for one in found] == [
        *((row, "label_0 is not [0, 1] or [1, 0]") for row in range(1, 8)),
        (8, "129_1 is null"),
        (9, "205 is null"),
    ]
    assert found[1]["values"] == {"label_0": [1], "129_1": 1, "205": 1}


def test_broken_histories_leave_the_users_whole(tmp_path):
    users = [user(1, None), user(2, [3, None]), user(None, [3]), user(4, [5])]
    done = converted.convert(taobao_mm, write(tmp_path / "in", train_users=users), tmp_path / "o")
    assert converted.reasons(tmp_path / "o", "histories") == [
        ("train_user_features.parquet", 0, "150_2_180 is null"),
        ("train_user_features.parquet", 1, "150_2_180 holds a null"),
        ("train_user_features.parquet", 2, "129_1 is null"),
    ]
    assert [row["user_id"] for row in converted.rows(tmp_path / "o", "users")] == [1, 2, 4, -5]
    assert done["counts"]["users"] == {"read": 5, "written": 4, "quarantined": 1}


def test_broken_vectors_are_quarantined(tmp_path):
    bad = [(1, None), (2, vector(2)[:-1]), (3, [None, *vector(3)[1:]]), (None, vector(4)), (5, [])]
    source = write(tmp_path / "in", vectors=[*VECTORS, *bad])
    converted.convert(taobao_mm, source, tmp_path / "out")
    assert [reason for *_, reason in converted.reasons(tmp_path / "out", "embeddings/scl")] == [
        "205_c is null",
        "205_c does not have 128 values",
        "205_c holds a null",
        "205 is null",
        "205_c does not have 128 values",
    ]
    found = embedding_set.read_embedding_set(str(tmp_path / "out" / "embeddings" / "scl"))
    assert found.item_ids.tolist() == [-100, 101]


def test_items_and_embeddings_are_optional(tmp_path):
    source = write(tmp_path / "in")
    (source / "item_features.parquet").unlink()
    (source / "scl_embedding_int8_p90.parquet").unlink()
    done = converted.convert(taobao_mm, source, tmp_path / "out")
    assert set(done["counts"]) == {"events", "users", "histories"}
    assert "--items" not in done["join_command"] and "--embeddings" not in done["join_command"]


@pytest.mark.parametrize(
    ("name", "columns", "values", "message"),
    [
        ("train_samples", ("label_0", "129_1"), [], r"no column '205', expected int64.*129_1"),
        ("test_user_features", USER_COLUMNS[:-2], [], r"no column '150_2_180', expected list"),
    ],
)
def test_missing_column_is_named(tmp_path, name, columns, values, message):
    source = write(tmp_path / "in")
    write_rows(source / f"{name}.parquet", columns, values)
    with pytest.raises(UserInputError, match=rf"{name}\.parquet' has {message}"):
        converted.convert(taobao_mm, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_vectors_of_another_type_are_refused(tmp_path):
    source = write(tmp_path / "in")
    path = source / "scl_embedding_int8_p90.parquet"
    floats = {"205_c": pa.list_(pa.float32())}
    write_rows(path, ("205", "205_c"), [(1, [0.5] * 128)], **floats)
    with pytest.raises(UserInputError, match=r"column '205_c' is list<.*float>, expected list"):
        converted.convert(taobao_mm, source, tmp_path / "out")


def test_missing_and_unreadable_files_are_named(tmp_path):
    source = write(tmp_path / "in")
    (source / "test_samples.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UserInputError, match=r"test_samples\.parquet' cannot be read.*Expected"):
        converted.convert(taobao_mm, source, tmp_path / "out")
    (source / "test_samples.parquet").unlink()
    with pytest.raises(
        UserInputError, match=r"no test_samples\.parquet, and no folder.*holds item"
    ):
        converted.convert(taobao_mm, source, tmp_path / "out")


def joined_histories(options):
    """Returns what each record shows: split, user, candidates, labels and history."""
    return sorted(
        (
            split,
            record["user_id"],
            record["candidate_item_id"],
            record["click"],
            record["history_item_id"],
        )
        for split in ("train", "test")
        for shard in oracle.read_records(options.output, split).values()
        for record in shard
    )


def test_result_joins_with_the_given_histories(tmp_path):
    train = [([0, 1], 7, -100), ([1, 0], 7, 101), ([1, 0], LARGEST, SMALLEST)]
    train_users = [user(LARGEST, []), user(7, [101, -100, 101, SMALLEST])]
    source = write(tmp_path / "in", train=train, train_users=train_users)
    done = converted.convert(taobao_mm, source, tmp_path / "out")
    options, joined = converted.join(done)
    assert joined["counts"]["quarantined"] == {}
    assert joined_histories(options) == [
        ("test", [-5], [101], [1.0], [101, SMALLEST]),
        ("train", [7], [-100], [1.0], [101, -100, 101, SMALLEST]),
        ("train", [7], [101], [0.0], [101, -100, 101, SMALLEST]),
        ("train", [LARGEST], [SMALLEST], [0.0], []),
    ]


def test_an_event_takes_the_history_of_its_split(tmp_path):
    done = converted.convert(taobao_mm, write(tmp_path / "in"), tmp_path / "out")
    options, _ = converted.join(done)
    assert joined_histories(options) == [
        ("test", [-5], [101], [1.0], [101, SMALLEST]),
        ("train", [-5], [-100], [1.0], [-100, 101, -100]),
        ("train", [-5], [101], [0.0], [-100, 101, -100]),
        ("train", [LARGEST], [SMALLEST], [0.0], []),
    ]
