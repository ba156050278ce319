"""A Delta table is its current version, with the partition values of its log."""

import datetime
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.files import storage
from features.tables.listing import list_files
from features.tables.locations import file_names, selection
from tests.features.tables.trees import names, reasons, write

deltalake = pytest.importorskip("deltalake", reason="needs the extra delta: the library deltalake")

DAYS = [datetime.date(2026, 5, 1), datetime.date(2026, 5, 2), None]


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path):
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('s3').bucket()}/root"
    return f"{tmp_path}/root"


def found(*locations):
    return list_files(locations, "events")


def save(folder, table, **options):
    settings = {
        "AWS_ENDPOINT_URL": os.environ.get("AWS_ENDPOINT_URL", ""),
        "AWS_ALLOW_HTTP": "true",
    }
    deltalake.write_deltalake(
        folder, table, storage_options=settings if storage.is_remote(folder) else None, **options
    )


def ids(listing):
    """Returns the values of column `id` of all files."""
    tables = []
    for file in listing.files:
        with storage.open_parquet(file.path) as opened:
            tables.append(opened.read(["id"]))
    return sorted(pa.concat_tables(tables)["id"].to_pylist())


@pytest.fixture
def partitioned(root):
    """A table whose first day was replaced: id 9 in place of 1 and 2."""
    table = pa.table(
        {
            "id": [1, 2, 3, 4],
            "day": pa.array([DAYS[0], DAYS[0], DAYS[1], DAYS[2]]),
            "text": ["a b", "c/d", "e=f%", "ü"],
            "flag": [True, False, None, True],
            "at": pa.array([1, 2, 3, 4_000_000], pa.timestamp("us", "UTC")),
        }
    )
    parts = ["day", "text", "flag", "at"]
    save(f"{root}/log", table, partition_by=parts)
    new = table.slice(0, 1).set_column(0, "id", pa.array([9]))
    first_day = "day = '2026-05-01'"
    save(f"{root}/log", new, mode="overwrite", predicate=first_day, partition_by=parts)
    return root


def test_replaced_files_are_passed_over(partitioned):
    listing = found(f"{partitioned}/log")
    assert ids(listing) == [3, 4, 9]
    assert listing.files[0].keys == (
        ("day", "2026-05-01"),
        ("text", "a b"),
        ("flag", "true"),
        ("at", "1970-01-01 00:00:00.000001"),
    )
    assert {dict(file.keys)["text"] for file in listing.files} == {"a b", "e=f%", "ü"}
    assert {dict(file.keys)["day"] for file in listing.files} == {"2026-05-01", "2026-05-02", None}
    counted = list(reasons(listing, partitioned).values())
    assert counted.count(selection.NOT_IN_LOG) == 2
    assert counted.count(file_names.DELTA_LOG) == 2


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("log/day=2026-05-01", [9]),
        ("log/day=2026-05-*", [3, 9]),
        ("log/*/text=e*", [3]),
        ("", [3, 4, 9]),
        ("*", [3, 4, 9]),
    ],
)
def test_a_part_of_the_table_is_read_by_its_log(partitioned, location, expected):
    listing = found(f"{partitioned}/{location}".rstrip("/"))
    assert ids(listing) == expected
    assert {tuple(name for name, _ in file.keys) for file in listing.files} == {
        ("day", "text", "flag", "at")
    }


def test_a_file_of_an_old_version_is_refused(partitioned):
    listing = found(f"{partitioned}/log")
    old = [path for path, reason in listing.passed_over if reason == selection.NOT_IN_LOG]
    with pytest.raises(UserInputError, match=r"holds no data.*not in the Delta table's current"):
        found(old[0])
    assert [file.path for file in found(listing.files[0].path).files] == [listing.files[0].path]


def test_other_files_beside_a_table_are_read(partitioned):
    write(partitioned, "more/a.parquet", "log/left_over.parquet", "log/_SUCCESS")
    listing = found(partitioned)
    assert len(listing.files) == 4
    assert "more/a.parquet" in names(listing)
    assert reasons(listing, partitioned)["log/left_over.parquet"] == selection.NOT_IN_LOG
    assert reasons(listing, partitioned)["log/_SUCCESS"] == file_names.HIDDEN


def test_a_file_that_is_gone_is_refused(partitioned):
    storage.remove_file(found(f"{partitioned}/log").files[0].path)
    with pytest.raises(UserInputError, match="current version, and is not there"):
        found(f"{partitioned}/log")


def test_an_empty_table_holds_no_data(root):
    save(f"{root}/log", pa.table({"id": [1]}))
    save(f"{root}/log", pa.table({"id": pa.array([], pa.int64())}), mode="overwrite")
    with pytest.raises(UserInputError, match="holds no data"):
        found(f"{root}/log")


def handmade(folder, actions=(), features=(), configuration=None, version=3):
    """Writes a log that deltalake's writer does not write."""
    protocol = {"minReaderVersion": version, "minWriterVersion": 7 if version == 3 else 5}
    if version == 3:
        protocol |= {"readerFeatures": list(features), "writerFeatures": list(features)}
    field = {"name": "id", "type": "long", "nullable": True, "metadata": {}}
    if configuration:
        field["metadata"] = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "c-1"}
    meta = {
        "id": "x",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": [field]}),
        "partitionColumns": [],
        "configuration": configuration or {},
        "createdTime": 0,
    }
    base = {"partitionValues": {}, "size": 1, "modificationTime": 0, "dataChange": True}
    lines = [{"protocol": protocol}, {"metaData": meta}, *({"add": base | one} for one in actions)]
    text = "\n".join(json.dumps(line) for line in lines)
    storage.write_bytes(f"{folder}/_delta_log/{0:020d}.json", text.encode())
    write(folder, "a b.parquet", "b.parquet")
    return folder


# Six of the rows, from the example in Delta's protocol.
VECTOR = {
    "storageType": "i",
    "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
    "sizeInBytes": 44,
    "cardinality": 6,
}
BY_NAME = {"delta.columnMapping.mode": "name"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"features": ["columnMapping"], "configuration": BY_NAME},
            r"\(_delta_log\) with columnMap",
        ),
        ({"version": 2, "configuration": BY_NAME}, r"\(_delta_log\) with columnMapping .*Parquet"),
        ({"features": ["variantType"], "actions": [{"path": "b.parquet"}]}, "with variantType,"),
        ({"features": ["futureFeature"]}, "_delta_log cannot be read: .*futureFeature"),
        ({"actions": [{"path": "/elsewhere/b.parquet"}]}, "clone of another: its file '/elsewhere"),
        ({"actions": [{"path": "s3://other/b.parquet"}]}, "clone of another: its file 's3://other"),
        ({"actions": [{"path": "c.parquet"}]}, "c.parquet' is a file of the Delta table's current"),
    ],
)
def test_what_the_files_alone_do_not_say_is_refused(tmp_path, values, message):
    with pytest.raises(UserInputError, match=f"^--events: .*{message}"):
        found(handmade(str(tmp_path / "log"), **values))


def test_deleted_rows_are_refused(tmp_path):
    vectors = ["deletionVectors"]
    pq.write_table(pa.table({"id": range(50)}), tmp_path / "rows.parquet")
    size = os.path.getsize(tmp_path / "rows.parquet")
    stats = json.dumps({"numRecords": 50})
    one = {"path": "rows.parquet", "size": size, "stats": stats}
    folder = handmade(str(tmp_path), [one | {"deletionVector": VECTOR}], vectors)
    with pytest.raises(UserInputError, match=r"\(_delta_log\) with deletionVectors"):
        found(folder)
    assert names(found(handmade(str(tmp_path), [one], vectors))) == ["rows.parquet"]


def test_features_that_change_nothing_are_read(tmp_path):
    features = ["timestampNtz", "typeWidening", "v2Checkpoint", "vacuumProtocolCheck"]
    folder = handmade(str(tmp_path / "log"), [{"path": "a%20b.parquet"}], features)
    assert names(found(folder)) == ["a b.parquet"]
    folder = handmade(str(tmp_path / "b"), [{"path": "b.parquet"}], ["columnMapping"])
    assert names(found(folder)) == ["b.parquet"]


def test_a_log_that_cannot_be_read_is_refused(tmp_path):
    folder = handmade(str(tmp_path / "log"))
    storage.write_bytes(f"{folder}/_delta_log/{0:020d}.json", b'{"add": {"path": "b.parquet"}}')
    with pytest.raises(UserInputError, match=r"^--events: .*log' is a Delta table whose _delta"):
        found(folder)
