"""Manifests of versions, pointers and notes that are damaged, hand-made or of another place."""

import json
import shutil

import pytest

from features.errors import UserInputError
from pipeline.catalog_backfill.backfill import backfill
from pipeline.catalog_backfill.cache_folder import CacheFolder
from serving_signatures.client.projection_cache import ProjectionCache
from tests import manifests
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import ID, SMALL, TARGET, published


def run(plain, data, output, **more):
    return backfill(plain.folder, data.items, str(output), data.embeddings, **SMALL, **more)


def first(values):
    return values["parts"][0]


def put(*path, value):
    """A change that puts a value at a path of keys."""

    def change(values):
        for key in path[:-1]:
            values = values[key]
        values[path[-1]] = value

    return change


CHANGES = [
    (lambda values: values.pop("parts"), "parts: Field required"),
    (lambda values: values.pop("columns"), "columns: Field required"),
    (put("items", value="many"), "items: Input should be a valid integer"),
    (put("items", value=7), "the parts have 1000 rows, expected 7"),
    (put("tag", value=None), "tag: Input should be a valid string"),
    (put("parts", 0, "rows", value=-1), "rows: Input should be greater than or equal to 0"),
    (put("parts", 0, "rows", value=1 << 60), "rows: Input should be less than or equal to"),
    (put("parts", 0, "file", value="../a.parquet"), "names the file '../a.parquet', expected"),
    (put("parts", 0, "file", value="a.parquet"), "file: String should match pattern"),
    (put("parts", 0, "file", value="a" * 64 + ".parquet"), "is not the name of a file of sha256"),
    (put("parts", 0, value="a.parquet"), "parts.0: Input should be a dictionary"),
    (lambda values: values["parts"].append(first(values)), "rows, expected 1000"),
    (put("columns", "key", "dtype", value="object"), "dtype: String should match pattern"),
    (put("columns", "key", "shape", value=[-1]), "shape.0: Input should be greater than"),
    (put("columns", "key", "shape", value=[1 << 39]), "has fixed_size_list.* as 'key', expected"),
    (put("columns", "other", value={"dtype": "int8", "shape": []}), "has none as 'other', exp"),
    (put("cache", value=TARGET), f"is of {TARGET}, version 1; expected {ID}, version 1"),
    (put("version", value=2), f"is of {ID}, version 2; expected {ID}, version 1"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[message for _, message in CHANGES])
def test_a_manifest_that_is_not_a_versions_is_refused_by_name(filled, change, message):
    path = filled / ID / "versions" / "000001.json"
    manifests.change(path, change)
    with pytest.raises(UserInputError, match=message) as error:
        ProjectionCache.open(str(filled), ID)
    assert str(filled / ID) in str(error.value)
    assert "Run the backfill" in str(error.value) or "--recompute" in str(error.value)


def test_a_huge_part_is_not_allocated_before_it_is_looked_at(filled):
    def change(values):
        first(values)["rows"] += 1 << 39
        values["items"] += 1 << 39

    manifests.change(filled / ID / "versions" / "000001.json", change)
    with pytest.raises(UserInputError, match=r"has \d+ rows, expected 5497"):
        ProjectionCache.open(str(filled), ID)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused_and_recompute_helps(
    plain, data, filled, content
):
    path = filled / ID / "versions" / "000001.json"
    path.write_bytes(content)
    for read in (lambda: ProjectionCache.open(str(filled), ID), lambda: run(plain, data, filled)):
        with pytest.raises(UserInputError, match=r"000001\.json.*--recompute"):
            read()
    parts = {one.name for one in (filled / ID / "parts").iterdir()}
    run(plain, data, filled, recompute=True)
    assert published(filled, ID)["version"] == 2
    assert parts <= {one.name for one in (filled / ID / "parts").iterdir()}


def test_any_change_of_a_manifest_is_seen(filled):
    path = filled / ID / "versions" / "000001.json"
    values = json.loads(path.read_text())
    values["tag"] = "0" * 16
    path.write_text(json.dumps(values))
    with pytest.raises(UserInputError, match="was changed after it was written"):
        ProjectionCache.open(str(filled), ID)


def test_no_part_goes_while_an_earlier_version_cannot_be_read(plain, data, filled, tmp_path):
    files = {path.name for path in (filled / ID / "parts").iterdir()}
    (filled / ID / "versions" / "000001.json").write_text("{}")
    run(plain, data, filled, recompute=True)
    items = projection_data.write_items(tmp_path / "items.parquet", data.item_ids[:500])
    for keep in (2, 1):
        backfill(plain.folder, items, str(filled), data.embeddings, keep=keep, **SMALL)
        left = {path.name for path in (filled / ID / "parts").iterdir()}
        assert (files <= left) == (keep == 2)


@pytest.mark.parametrize("pointer", ["", "9", "x", "²"])
@pytest.mark.parametrize("recompute", [False, True])
def test_a_damaged_pointer_is_refused_before_anything_is_computed(
    plain, data, filled, computed, pointer, recompute
):
    (filled / TARGET / "CURRENT").write_text(pointer)
    before = projection_data.contents(filled)
    with pytest.raises(UserInputError, match=f"{TARGET}/CURRENT' holds .*, such as 1"):
        run(plain, data, filled, recompute=recompute)
    assert projection_data.contents(filled) == before
    assert not any(computed.values())


@pytest.mark.parametrize("change", ["damaged", "of another part", "an array", "half"])
def test_a_note_that_is_not_the_parts_own_is_not_used(
    plain, data, filled, tmp_path, monkeypatch, change
):
    output = tmp_path / "again"
    with monkeypatch.context() as patch:
        patch.setattr(CacheFolder, "prune", lambda self, keep: None)
        run(plain, data, output)
    for cache in (ID, TARGET):
        (output / cache / "CURRENT").unlink()
    one, other = sorted((output / ID / "building").glob("*.json"))[:2]
    contents = {
        "damaged": one.read_bytes().replace(b'"rows": 1', b'"rows": 2'),
        "of another part": other.read_bytes(),
        "an array": b"[]",
        "half": one.read_bytes()[:50],
    }
    one.write_bytes(contents[change])
    run(plain, data, output)
    assert projection_data.contents(output) == projection_data.contents(filled)


def test_versions_of_two_caches_do_not_mix(filled):
    for folder in ("versions", "parts"):
        shutil.rmtree(filled / ID / folder)
        shutil.copytree(filled / TARGET / folder, filled / ID / folder)
    with pytest.raises(UserInputError, match=f"is of {TARGET}, version 1; expected {ID}"):
        ProjectionCache.open(str(filled), ID)
