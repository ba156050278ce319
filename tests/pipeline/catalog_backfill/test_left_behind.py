"""What killed backfills left goes; what they did not make stays, whatever its name."""

import os

import pytest

from features.errors import UserInputError
from pipeline.catalog_backfill.backfill import backfill
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import ID, SMALL, contents

HASH, UNIQUE = "0a" * 32, "1b" * 16

LEFT = [
    f"CURRENT.{UNIQUE}.tmp",
    f"parts/{HASH}.parquet",
    f"parts/{HASH}.parquet.{UNIQUE}.tmp",
    f"versions/000002.json.{UNIQUE}.tmp",
    "versions/000007.json",
    f"building/{HASH}.json",
    f"building/{HASH}.json.{UNIQUE}.tmp",
    f"building/work-{UNIQUE}/{HASH}/quantized/text.npy",
    f"building/work-{UNIQUE}/{HASH}/item_ids.npy.{UNIQUE}.tmp",
]
FOREIGN = [
    "README.md",
    "CURRENT.bak",
    "notes.tmp",
    "parts/mine.parquet",
    "parts/mine.parquet.tmp",
    f"parts/{HASH}.parquet.bak",
    "versions/000001.json.bak",
    "versions/plans/000001.json",
    "building/plan.dwg",
    "building/work/a.npy",
    "building/houses/1.json",
]


@pytest.mark.guarantee("foreign", "backfill")
def test_what_killed_runs_left_goes_and_what_is_the_users_stays(plain, data, filled, tmp_path):
    whole = tmp_path / "whole"
    projection_data.copied(contents(filled), whole)
    projection_data.copied(dict.fromkeys(LEFT + FOREIGN, b"mine"), filled / ID)
    items = projection_data.write_items(tmp_path / "items.parquet", data.item_ids[1:])
    for output in (whole, filled):
        backfill(plain.folder, items, str(output), data.embeddings, keep=1, **SMALL)
    expected = contents(whole) | {f"{ID}/{name}": b"mine" for name in FOREIGN}
    assert contents(filled) == expected
    assert sorted(os.listdir(whole / ID)) == ["CURRENT", "parts", "versions"]


@pytest.mark.parametrize("name", ["", ID, f"{ID}/parts", f"{ID}/versions", f"{ID}/building"])
def test_a_file_where_a_folder_is_to_be_is_refused_and_stays(plain, data, tmp_path, name):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"mine")
    with pytest.raises(UserInputError, match=f"{path}' is a file, expected a folder"):
        backfill(plain.folder, data.items, str(tmp_path / "out"), data.embeddings, **SMALL)
    assert [one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()] == [b"mine"]


@pytest.mark.parametrize(
    "name", ["CURRENT", f"parts/{HASH}.parquet", "versions/000002.json", f"building/{HASH}.json"]
)
def test_a_folder_where_a_file_is_to_be_is_refused_and_stays(plain, data, filled, name):
    (filled / ID / name).unlink(missing_ok=True)
    projection_data.copied({f"{name}/houses.txt": b"mine"}, filled / ID)
    before = contents(filled)
    with pytest.raises(UserInputError, match=f"{name}' is a folder, expected a file"):
        backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)
    assert contents(filled) == before
