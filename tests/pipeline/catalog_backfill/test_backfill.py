"""Caches of projections: what the model gives, and no more computed than is missing."""

import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from features.embeddings import byte_vectors, embedding_set
from features.schema import ITEM_AXES
from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.export import parity_process
from serving_signatures.names import CACHES
from tests import manifests, synthetic
from tests.pipeline.catalog_backfill import projection_data
from tests.pipeline.catalog_backfill.projection_data import (
    ID,
    ITEMS,
    SMALL,
    TARGET,
    contents,
    published,
)
from tests.serving_signatures import serving


def changed_model(name, seed=9):
    """The model with other values of the variables whose name holds this."""
    other = serving.random_model()
    rng = np.random.default_rng(seed)
    found = [one for one in other.trainable_variables if name in one.name]
    assert found, [one.name for one in other.trainable_variables]
    for variable in found:
        variable.assign_add(0.1 * rng.standard_normal(variable.shape))
    return other


def test_rows_are_what_the_signatures_give_where_requests_carry_vectors(plain, data, filled):
    for cache, tag in CACHES.items():
        expected = projection_data.outputs(plain.loaded, cache, data.item_ids, data.vectors)
        opened = projection_data.assert_holds(filled, cache, data.item_ids, expected)
        inputs = {"item_ids": data.item_ids[:1]}
        if cache == TARGET:
            inputs = {f"vector_{name}": one[:1] for name, one in data.vectors.items()}
        given = parity_process.call(plain.loaded.signatures[cache], inputs)[tag]
        assert opened.tag == given[0].decode()
        assert len(published(filled, cache)["parts"]) == 7
    grid = np.array([[data.item_ids[5], -5], [12345, data.item_ids[0]]])
    known, found = opened.lookup(grid)
    assert known.tolist() == [[True, False], [False, True]]
    assert found["quantized_text"].shape == (2, 2, 12)
    assert not found["quantized_text"][~known].any()


def test_rows_are_what_the_signatures_give_where_the_model_holds_the_vectors(tables, tmp_path):
    item_ids = projection_data.catalog(200)
    items = projection_data.write_items(tmp_path / "items.parquet", item_ids)
    backfill(tables.folder, items, str(tmp_path / "out"))
    for cache in CACHES:
        expected = projection_data.outputs(tables.loaded, cache, item_ids)
        projection_data.assert_holds(tmp_path / "out", cache, item_ids, expected)
    assert (expected["norm_text"] == 0).sum() > 100, "items without an embedding are among them"


@pytest.mark.parametrize("kind", ["plain", "tables"])
def test_scores_from_the_cache_are_those_of_score_request(kind, request, tmp_path):
    saved = request.getfixturevalue(kind)
    sets = synthetic.embedding_sets()
    sample = serving.requests((3, 7, 8), sets)
    item_ids = np.unique(np.concatenate([sample[axis.item_id].ravel() for axis in ITEM_AXES]))
    items = projection_data.write_items(tmp_path / "items.parquet", item_ids)
    folders = {}
    if kind == "plain":
        for name, one in sets.items():
            folder = str(tmp_path / name)
            raw = one.quantized[:-1].astype(np.float32) / 50
            embedding_set.write_embedding_set(folder, one.item_ids, raw, "encoder", "1")
            folders[name] = folder
    output = str(tmp_path / "out")
    backfill(saved.folder, items, output, folders)
    inputs = serving.inputs(sample, kind == "tables")
    expected = parity_process.call(saved.loaded.signatures["score_request"], inputs)
    wanted = saved.loaded.signatures["score_cached"].structured_input_signature[1]
    cached = {name: value for name, value in inputs.items() if name in wanted}
    for cache, tag in CACHES.items():
        opened = ProjectionCache.open(output, cache)
        cached[tag] = np.full(3, opened.tag.encode(), object)
        for side in ("candidate", "history"):
            known, found = opened.lookup(sample[f"{side}_item_id"])
            assert known.all()
            for name, value in found.items():
                if f"{side}_{name}" in wanted:
                    cached[f"{side}_{name}"] = value
    received = parity_process.call(saved.loaded.signatures["score_cached"], cached)
    serving.assert_same(received, expected)
    assert np.ptp(expected["click"][expected["mask"]]) > 0.01


def test_one_percent_of_new_items_computes_only_those(plain, data, filled, tmp_path, computed):
    before = {cache: published(filled, cache) for cache in CACHES}
    new = 5 + 10**15 + np.arange(ITEMS // 100)
    more = projection_data.write(tmp_path / "more", np.concatenate([new, data.item_ids]))
    plans = backfill(plain.folder, more.items, str(filled), more.embeddings, **SMALL)
    for cache in CACHES:
        assert computed[cache][0] == len(new)
        after = published(filled, cache)
        assert (after["version"], after["computed"], after["reused"]) == (2, len(new), ITEMS)
        assert plans[cache].counts["new"] == len(new)
        names = [{part["file"] for part in one["parts"]} for one in (before[cache], after)]
        assert names[0] < names[1]
        assert len(names[1] - names[0]) == 1
        expected = projection_data.outputs(plain.loaded, cache, more.item_ids, more.vectors)
        projection_data.assert_holds(filled, cache, more.item_ids, expected)
    state = contents(filled)
    seen = len(computed[ID])
    again = backfill(plain.folder, more.items, str(filled), more.embeddings, **SMALL)
    assert all(plan.is_done for plan in again.values())
    assert contents(filled) == state
    assert len(computed[ID]) == seen


def test_caches_of_an_earlier_layout_are_read_and_added_to(
    plain, data, tmp_path, computed, monkeypatch
):
    output = tmp_path / "out"
    with monkeypatch.context() as earlier:
        earlier.setattr(byte_vectors, "to_column", projection_data.as_lists)
        backfill(plain.folder, data.items, str(output), data.embeddings, **SMALL)
    for cache in CACHES:
        manifests.earlier(output / cache / "versions" / "000001.json", without=["catalog"])
    expected = projection_data.outputs(plain.loaded, TARGET, data.item_ids, data.vectors)
    projection_data.assert_holds(output, TARGET, data.item_ids, expected)
    vectors = {name: one.copy() for name, one in data.vectors.items()}
    vectors["image"][3] *= -1
    later = projection_data.write(tmp_path / "later", data.item_ids, vectors)
    before = len(computed[TARGET])
    backfill(plain.folder, later.items, str(output), later.embeddings, **SMALL)
    assert published(output, TARGET)["computed"] == computed[TARGET][before] == 1
    expected = projection_data.outputs(plain.loaded, TARGET, data.item_ids, vectors)
    projection_data.assert_holds(output, TARGET, data.item_ids, expected)


def test_changed_vectors_are_computed_again_and_departed_items_leave(
    plain, data, filled, tmp_path, computed
):
    vectors = {name: one.copy() for name, one in data.vectors.items()}
    vectors["image"][[3, 400]] = projection_data.vectors(data.item_ids[[3, 400]], seed=1)["image"]
    # Quantization swallows the scale: nothing that depends on the vector changes.
    vectors["text"][77] *= 2
    kept = np.delete(np.arange(ITEMS), [10, 11, 12])
    later = projection_data.write(
        tmp_path / "later", data.item_ids[kept], {name: one[kept] for name, one in vectors.items()}
    )
    plans = backfill(plain.folder, later.items, str(filled), later.embeddings, **SMALL)
    assert plans[TARGET].counts["changed"] == sum(computed[TARGET][:2]) == 2
    assert plans[ID].counts["computed"] == 0
    for cache in CACHES:
        assert plans[cache].counts["gone"] == 3
        assert published(filled, cache)["items"] == ITEMS - 3
        expected = projection_data.outputs(plain.loaded, cache, later.item_ids, later.vectors)
        projection_data.assert_holds(filled, cache, later.item_ids, expected)


@pytest.mark.slow
def test_a_new_id_training_makes_one_cache_stale_and_a_new_set_the_other(
    tables, tmp_path, computed
):
    item_ids = projection_data.catalog(120)
    items = projection_data.write_items(tmp_path / "items.parquet", item_ids)
    output = tmp_path / "out"
    backfill(tables.folder, items, str(output))

    def run(other, sets):
        folder = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        projection_data.save_model(folder, other, sets)
        for seen in computed.values():
            seen.clear()
        plans = backfill(str(folder), items, str(output))
        loaded = tf.saved_model.load(str(folder))
        for cache in CACHES:
            expected = projection_data.outputs(loaded, cache, item_ids)
            projection_data.assert_holds(output, cache, item_ids, expected)
        return {cache: plan.counts["stale"] for cache, plan in plans.items()}

    sets = synthetic.embedding_sets()
    assert run(changed_model("item_embedding"), sets) == {ID: 120, TARGET: 0}
    assert not computed[TARGET]
    other = changed_model("item_embedding")
    assert run(other, synthetic.embedding_sets(seed=5)) == {ID: 0, TARGET: 120}
    assert not computed[ID]
    versions = [published(output, cache)["version"] for cache in CACHES]
    assert versions == [2, 2]


def test_three_versions_are_kept_and_parts_that_none_names_go(plain, data, tmp_path):
    output = tmp_path / "out"
    for version in range(1, 6):
        kept = data.item_ids[version - 1 :]
        items = projection_data.write_items(tmp_path / "items.parquet", kept)
        backfill(plain.folder, items, str(output), data.embeddings, **SMALL)
    for cache in CACHES:
        folder = output / cache
        files = sorted(path.name for path in (folder / "versions").iterdir())
        assert files == ["000003.json", "000004.json", "000005.json"]
        named = set()
        for name in files:
            values = json.loads((folder / "versions" / name).read_text())
            named |= {part["file"] for part in values["parts"]}
        assert {path.name for path in (folder / "parts").iterdir()} == named
        assert sorted(path.name for path in folder.iterdir()) == ["CURRENT", "parts", "versions"]
    # Rolled back, an older version is read, and the next one takes its successor's place.
    (output / ID / "CURRENT").write_text("3\n")
    assert len(ProjectionCache.open(str(output), ID)) == ITEMS - 2
    backfill(plain.folder, items, str(output), data.embeddings, **SMALL)
    assert published(output, ID)["version"] == 4
    assert len(ProjectionCache.open(str(output), ID)) == ITEMS - 4


def test_small_parts_are_merged_when_they_are_many(plain, data, tmp_path):
    output, most = tmp_path / "out", 0
    for version in range(12):
        items = projection_data.write_items(
            tmp_path / "items.parquet", data.item_ids[: 200 + 3 * version]
        )
        plans = backfill(plain.folder, items, str(output), data.embeddings, rows_per_part=100)
        assert plans[ID].counts["computed"] == (3 if version else 200)
        most = max(most, len(published(output, ID)["parts"]))
    assert most <= 2 + 9
    assert len(published(output, ID)["parts"]) < 8
    item_ids = data.item_ids[:233]
    expected = projection_data.outputs(plain.loaded, ID, item_ids)
    projection_data.assert_holds(output, ID, item_ids, expected)


def test_rows_left_out_are_in_the_last_lines(tables, tmp_path, caplog):
    item_ids = projection_data.catalog(70)
    ids = pa.array([*item_ids.tolist(), None, int(item_ids[0]), int(item_ids[1])])
    pq.write_table(pa.table({"item_id": ids}), tmp_path / "items.parquet")
    for dry_run in (True, False):
        with caplog.at_level(logging.INFO, logger="absl"):
            items, output = str(tmp_path / "items.parquet"), str(tmp_path / "out")
            backfill(tables.folder, items, output, dry_run=dry_run)
        assert caplog.messages[-1] == (
            "Left out of --items: 3 of 73 rows (item_id appeared before: 2, item_id is null: 1)."
        )


def test_a_dry_run_plans_and_writes_nothing(plain, data, tmp_path, caplog):
    output = tmp_path / "out"
    with caplog.at_level(logging.INFO, logger="absl"):
        plans = backfill(plain.folder, data.items, str(output), data.embeddings, dry_run=True)
    assert not output.exists()
    for cache in plans:
        assert f"Plan: {cache}: nothing is published yet; all 1,000 items are co" in caplog.text
