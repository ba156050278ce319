"""A catalog is the model's: ids of its kind, items that it knows and that have vectors."""

import dataclasses
import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import UserInputError
from features.files import manifest
from features.id_kinds import IdKinds
from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.names import CACHES
from tests import manifests, synthetic
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import SMALL, contents, published

OTHERS = 10**15 + np.arange(100)
"""Items that no model and no set of the tests has."""


@pytest.fixture
def typed(plain):
    """The model, which says for the time of a test that it was trained on integers."""
    extras = f"{plain.folder}/assets.extra"
    before = manifest.read_manifest(extras)
    schema = dataclasses.replace(synthetic.SCHEMA, id_kinds=IdKinds(item="integer"))
    manifest.write_manifest(extras, {**before, "schema": schema.to_dict()})
    yield plain.folder
    manifest.write_manifest(extras, before)


def as_strings(path, item_ids):
    pq.write_table(pa.table({"item_id": item_ids.astype(str)}), path)
    return str(path)


def test_a_catalog_whose_ids_became_strings_is_refused(typed, data, tmp_path):
    items = as_strings(tmp_path / "items.parquet", data.item_ids)
    with pytest.raises(UserInputError, match=r"--items '.*': item ids are strings .* integers"):
        backfill(typed, items, str(tmp_path / "out"), data.embeddings)
    assert not (tmp_path / "out").exists()


def test_versions_say_the_kind_and_those_from_before_none(typed, data, first_version, tmp_path):
    output = projection_data.copied(first_version, tmp_path / "out")
    for cache in CACHES:
        path = output / cache / "versions" / "000001.json"
        assert json.loads(path.read_text())["id_kinds"]["item"] == "integer"
        assert ProjectionCache.open(str(output), cache).item_kind == "integer"
        manifests.earlier(path, without=["id_kinds"])
        assert ProjectionCache.open(str(output), cache).item_kind is None
    more = projection_data.write(tmp_path / "more", np.append(data.item_ids, OTHERS[:3]))
    backfill(typed, more.items, str(output), more.embeddings, **SMALL)
    for cache in CACHES:
        values = published(output, cache)
        assert (values["version"], values["id_kinds"]["item"]) == (2, "integer")


def test_strings_into_the_caches_of_integers_are_refused_for_a_model_of_no_known_kind(
    plain, data, filled, tmp_path
):
    items = as_strings(tmp_path / "items.parquet", data.item_ids)
    folders = projection_data.write_embeddings(tmp_path, data.item_ids.astype(str), data.vectors)
    before = contents(filled)
    with pytest.raises(UserInputError, match=r"item ids are strings .* or --recompute"):
        backfill(plain.folder, items, str(filled), folders, **SMALL)
    assert contents(filled) == before


def test_vectors_of_other_items_stop_it_before_anything_is_computed(
    plain, data, tmp_path, computed, caplog
):
    vectors = projection_data.vectors(OTHERS)
    folders = projection_data.write_embeddings(tmp_path / "sets", OTHERS, vectors)
    with pytest.raises(UserInputError, match="text: 0 of 1,000 items of the catalog have a vector"):
        backfill(plain.folder, data.items, str(tmp_path / "out"), folders, **SMALL)
    assert not (tmp_path / "out").exists() and not any(computed.values())
    with caplog.at_level(logging.INFO, logger="absl"):
        backfill(plain.folder, data.items, str(tmp_path / "out"), folders, min_coverage=0, **SMALL)
    assert "--embeddings image: 0 of 1,000 items of the catalog have a vector" in caplog.text
    assert "--items: 55 of 1,000 items of the catalog are in the model's vocab" in caplog.text


@pytest.mark.parametrize("kind", ["plain", "tables"])
def test_a_catalog_of_other_items_is_not_published(kind, request, tmp_path):
    saved = request.getfixturevalue(kind)
    other = projection_data.write(tmp_path, OTHERS)
    embeddings = other.embeddings if kind == "plain" else {}
    with pytest.raises(UserInputError, match="--items: 0 of 100 items of the catalog are in the"):
        backfill(saved.folder, other.items, str(tmp_path / "out"), embeddings, **SMALL)
    assert not list((tmp_path / "out").rglob("CURRENT"))


def test_a_catalog_that_the_tables_inside_lack_is_not_published(tables, tmp_path, caplog):
    # The first item is in the vocabulary, and has no vector of the modality text.
    known = synthetic.item_ids()[4:5]
    assert known not in synthetic.embedding_sets()["text"].item_ids
    items = projection_data.write_items(tmp_path / "items.parquet", np.append(known, OTHERS[:50]))
    with pytest.raises(UserInputError, match="Modality text: 0 of 51 items of the catalog have"):
        backfill(tables.folder, items, str(tmp_path / "out"), **SMALL)
    assert not list((tmp_path / "out").rglob("CURRENT"))
    with caplog.at_level(logging.INFO, logger="absl"):
        backfill(tables.folder, items, str(tmp_path / "out"), min_coverage=0, **SMALL)
    assert "Modality image: 1 of 51 items of the catalog have a vector inside" in caplog.text
