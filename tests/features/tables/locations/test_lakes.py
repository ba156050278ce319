"""Tables with a log are read by the log or refused, from wherever they are named."""

import sys

import pytest

from features.errors import UserInputError
from features.tables.listing import list_files
from tests.features.tables.trees import names, write


@pytest.fixture(params=["local", "s3"])
def root(request, tmp_path):
    if request.param == "s3":
        return f"s3://{request.getfixturevalue('s3').bucket()}/root"
    return f"{tmp_path}/root"


def found(*locations):
    return list_files(locations, "events")


ICEBERG = ("table/metadata/v1.metadata.json", "table/data/day=1/a.parquet", "table/data/b.parquet")
ICEBERG_PLACES = [
    ".",
    "table",
    "table/",
    "table/data",
    "table/data/day=1",
    "table/data/day=1/a.parquet",
    "table/data/*.parquet",
    "table/data/day=*",
    "**/a.parquet",
    "table/data/b.parquet",
]
HUDI = (
    "table/.hoodie/hoodie.properties",
    "table/2026/05/a.parquet",
    "table/2026/05/.hoodie_partition_metadata",
)
HUDI_PLACES = [".", "table", "table/2026", "table/2026/05/a.parquet", "t*/2026/*"]
DELTA = ("table/_delta_log/0.json", "table/day=1/x=2/a.parquet", "table/b.parquet")
DELTA_PLACES = [
    ".",
    "table",
    "table/day=1",
    "table/day=1/x=2",
    "table/day=1/x=2/a.parquet",
    "table/*.parquet",
    "table/day=*",
    "table/b.parquet",
    "**",
]


@pytest.mark.parametrize(
    ("files", "location", "message"),
    [
        *((ICEBERG, place, "Iceberg.*metadata/.*as Parquet") for place in ICEBERG_PLACES),
        *((HUDI, place, "Hudi.*hoodie.*as Parquet") for place in HUDI_PLACES),
        *((DELTA, place, r"_delta_log.*install 'dmf-ctr\[delta\]'") for place in DELTA_PLACES),
    ],
)
def test_a_table_whose_log_is_not_read_is_refused(root, monkeypatch, files, location, message):
    monkeypatch.setitem(sys.modules, "deltalake", None)
    write(root, *files, "other/c.parquet")
    with pytest.raises(UserInputError, match=f"^--events: .*{message}"):
        found(root if location == "." else f"{root}/{location}")


def test_a_table_with_a_log_that_is_not_meant_does_not_matter(root):
    write(root, *ICEBERG, "other/c.parquet", "metadata/notes.json", "_delta_log.parquet")
    assert names(found(f"{root}/other")) == ["c.parquet"]
    assert names(found(f"{root}/*/c.parquet")) == ["other/c.parquet"]


def test_a_relative_partition_is_seen_as_one(tmp_path, monkeypatch):
    write(str(tmp_path), *ICEBERG)
    monkeypatch.chdir(tmp_path / "table/data/day=1")
    with pytest.raises(UserInputError, match="Iceberg"):
        found(".")
    with pytest.raises(UserInputError, match="Iceberg"):
        found("a.parquet")
