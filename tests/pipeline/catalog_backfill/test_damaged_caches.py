"""What is not the model's own, tag or values, is refused and never published."""

import hashlib
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.client import projection_cache
from serving_signatures.client.projection_cache import ProjectionCache
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import ID, ITEMS, SMALL, TARGET, published


def rewritten(path, change):
    """Writes a part anew with a change to its table."""
    table = pq.read_table(path)
    sink = io.BytesIO()
    pq.write_table(change(table), sink)
    path.write_bytes(sink.getvalue())


def test_parts_of_another_tag_are_refused_by_backfill_and_reader(plain, data, filled):
    part = sorted((filled / ID / "parts").iterdir())[0]
    rewritten(part, lambda table: table.replace_schema_metadata({"cache": ID, "tag": "beef"}))
    tag = published_tag(filled, ID)
    with pytest.raises(UserInputError, match=f"tag 'beef'.*'{tag}'"):
        backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)
    data_of_part = part.read_bytes()
    with pytest.raises(UserInputError, match="damaged"):
        ProjectionCache.open(str(filled), ID)
    # Even where the manifest vouches for its bytes.
    entry = {"file": part.name, "sha256": projection_sha(data_of_part)}
    with pytest.raises(UserInputError, match=f"tag 'beef'.*'{tag}'"):
        projection_cache.read_part(str(filled / ID), entry, tag)
    backfill(plain.folder, data.items, str(filled), data.embeddings, recompute=True, **SMALL)
    assert published(filled, ID)["version"] == 2


def test_a_version_of_another_tag_gives_no_row(plain, data, filled, computed):
    path = filled / ID / "versions" / "000001.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "tag": "0" * 16}))
    plans = backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)
    assert plans[ID].counts == {**plans[ID].counts, "stale": ITEMS, "computed": ITEMS, "reused": 0}
    assert plans[TARGET].is_done
    assert published(filled, ID)["tag"] != "0" * 16


def published_tag(output, cache):
    return json.loads((output / cache / "versions" / "000001.json").read_text())["tag"]


def projection_sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("output_name", ["key", "norm_text", "quantized_image"])
def test_the_sample_check_catches_a_part_with_other_values(
    plain, data, filled, tmp_path, output_name
):
    cache = ID if output_name == "key" else TARGET
    part = sorted((filled / cache / "parts").iterdir())[0]

    def change(table):
        values = projection_cache.flat_values(table[output_name])
        values = np.where(values < 127, values + 1, values - 1).astype(values.dtype)
        place = table.schema.get_field_index(output_name)
        return table.set_column(place, output_name, projection_data.as_lists(values))

    rewritten(part, change)
    more = np.append(data.item_ids, 4)
    items = projection_data.write_items(tmp_path / "items.parquet", more)
    with pytest.raises(UserInputError, match=f"{output_name} of item .* differs"):
        backfill(plain.folder, items, str(filled), data.embeddings, **SMALL)
    assert (filled / cache / "CURRENT").read_text() == "1\n"
    backfill(plain.folder, items, str(filled), data.embeddings, recompute=True, **SMALL)
    expected = projection_data.outputs(plain.loaded, ID, more)
    projection_data.assert_holds(filled, ID, more, expected)
