"""Damaged parts are computed again; what is not the model's own is refused and never published."""

import logging
import re

import numpy as np
import pyarrow as pa
import pytest

from features.errors import UserInputError
from pipeline.catalog_backfill.backfill import backfill
from pipeline.catalog_backfill.cache_folder import CacheFolder
from serving_signatures.client import cache_parts
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.names import CACHES
from tests import manifests
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import ID, ITEMS, SMALL, TARGET, published


def flipped(part):
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)


def cut(part):
    part.write_bytes(part.read_bytes()[:-100])


def emptied(part):
    part.write_bytes(b"")


def swapped(part):
    other = sorted(part.parent.iterdir())[1]
    mine = part.read_bytes()
    part.write_bytes(other.read_bytes())
    other.write_bytes(mine)


def of_the_other_cache(part):
    folder = TARGET if part.parts[-3] == ID else ID
    other = sorted((part.parents[2] / folder / "parts").iterdir())[0]
    part.write_bytes(other.read_bytes())


def removed(part):
    part.unlink()


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(
    "damage",
    [flipped, cut, emptied, swapped, of_the_other_cache, removed],
    ids=lambda f: f.__name__,
)
@pytest.mark.guarantee("damaged", "backfill")
def test_a_damaged_part_is_computed_again(plain, data, filled, tmp_path, caplog, cache, damage):
    before = published(filled, cache)
    part = filled / cache / "parts" / sorted(one["file"] for one in before["parts"])[0]
    damage(part)
    with pytest.raises(UserInputError, match=f"{part.name}.*Run the backfill again"):
        ProjectionCache.open(str(filled), cache)
    more = projection_data.write(tmp_path / "more", np.append(data.item_ids, 4))
    with caplog.at_level(logging.WARNING, logger="absl"):
        plans = backfill(plain.folder, more.items, str(filled), more.embeddings, **SMALL)
    assert re.search(rf"{part.name}.* Its \d+ rows are computed again", caplog.text)
    count = 2 if damage is swapped else 1
    lost = sum(one["rows"] for one in sorted(before["parts"], key=lambda one: one["file"])[:count])
    expected = {"damaged": lost, "computed": lost + 1, "reused": ITEMS - lost}
    assert plans[cache].counts == {**plans[cache].counts, **expected}
    for one in CACHES:
        expected = projection_data.outputs(plain.loaded, one, more.item_ids, more.vectors)
        projection_data.assert_holds(filled, one, more.item_ids, expected)


def test_a_damaged_part_that_nothing_else_changes_becomes_what_it_was(plain, data, filled):
    before = projection_data.contents(filled)
    part = sorted((filled / ID / "parts").iterdir())[0]
    flipped(part)
    backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)
    assert published(filled, ID)["version"] == 2
    after = projection_data.contents(filled)
    assert {name: after[name] for name in before if "/parts/" in name} == {
        name: content for name, content in before.items() if "/parts/" in name
    }


def other_tag(table):
    return table.replace_schema_metadata({"cache": ID, "tag": "beef"})


def fewer_rows(table):
    return table.slice(1)


def descending(table):
    return table.take(np.arange(len(table))[::-1])


def twice_the_same(table):
    return pa.concat_tables([table.slice(0, 1), table.slice(0, 1), table.slice(2)])


def other_ids(table):
    return table.set_column(0, "item_id", table["item_id"].cast(pa.float64()))


def without_output(table):
    return table.drop_columns("key")


def other_width(table):
    narrower = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(len(table), "f4")), 1)
    return table.set_column(table.schema.get_field_index("key"), "key", narrower)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_tag, "is of tag 'beef'"),
        (fewer_rows, r"has \d+ rows, expected"),
        (descending, "has no item_id in strictly ascending order"),
        (twice_the_same, "has no item_id in strictly ascending order"),
        (other_ids, "has no item_id in strictly ascending order, of int64"),
        (without_output, "has none as 'key', expected float32"),
        (other_width, r"has fixed_size_list.*\[1\] as 'key', expected float32 of the shape"),
    ],
)
def test_reader_and_backfill_agree_on_a_part_that_a_manifest_vouches_for(
    plain, data, filled, caplog, change, message
):
    projection_data.plant(filled / ID, sorted((filled / ID / "parts").iterdir())[0].name, change)
    with pytest.raises(UserInputError, match=message):
        ProjectionCache.open(str(filled), ID)
    with caplog.at_level(logging.WARNING, logger="absl"):
        backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)
    assert re.search(rf"{message}.*are computed again", caplog.text)
    expected = projection_data.outputs(plain.loaded, ID, data.item_ids)
    projection_data.assert_holds(filled, ID, data.item_ids, expected)


def test_parts_that_share_items_are_refused(plain, data, filled):
    parts = sorted((filled / ID / "parts").iterdir())
    shared = cache_parts.read(str(filled / ID), *entry_and_tag(filled, parts[0].name)).slice(20, 1)

    def with_another(table):
        both = pa.concat_tables([table, shared.cast(table.schema)])
        return both.sort_by("item_id").slice(1)

    projection_data.plant(filled / ID, parts[1].name, with_another)
    with pytest.raises(UserInputError, match=r"hold the same items.*--recompute"):
        ProjectionCache.open(str(filled), ID)
    with pytest.raises(UserInputError, match=r"holds items that another part.*--recompute"):
        backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)
    backfill(plain.folder, data.items, str(filled), data.embeddings, recompute=True, **SMALL)
    assert published(filled, ID)["version"] == 2


def entry_and_tag(output, name):
    values = CacheFolder(str(output), ID).published()
    return next(one for one in values["parts"] if one["file"] == name), values["tag"]


def test_a_version_of_another_tag_gives_no_row(plain, data, filled, computed):
    path = filled / ID / "versions" / "000001.json"
    manifests.change(path, lambda values: values.update(tag="0" * 16))
    plans = backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)
    assert plans[ID].counts == {**plans[ID].counts, "stale": ITEMS, "computed": ITEMS, "reused": 0}
    assert plans[TARGET].is_done
    assert published(filled, ID)["tag"] != "0" * 16


@pytest.mark.parametrize("output_name", ["key", "norm_text", "quantized_image"])
def test_the_sample_check_catches_a_part_with_other_values(
    plain, data, filled, tmp_path, output_name
):
    cache = ID if output_name == "key" else TARGET

    def change(table):
        values = cache_parts.flat_values(table[output_name])
        values = np.where(values < 127, values + 1, values - 1).astype(values.dtype)
        place = table.schema.get_field_index(output_name)
        return table.set_column(place, output_name, projection_data.as_lists(values))

    part = sorted((filled / cache / "parts").iterdir())[0]
    projection_data.plant(filled / cache, part.name, change)
    more = np.append(data.item_ids, 4)
    items = projection_data.write_items(tmp_path / "items.parquet", more)
    with pytest.raises(UserInputError, match=f"{output_name} of item .* differs"):
        backfill(plain.folder, items, str(filled), data.embeddings, **SMALL)
    assert (filled / cache / "CURRENT").read_text() == "1\n"
    backfill(plain.folder, items, str(filled), data.embeddings, recompute=True, **SMALL)
    expected = projection_data.outputs(plain.loaded, ID, more)
    projection_data.assert_holds(filled, ID, more, expected)
