"""Caches of projections: what the model gives, no more computed than is missing, never half."""

import dataclasses
import functools
import hashlib
import io
import json
import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from features import embedding_set, storage
from features.errors import UserInputError
from pipeline import publish
from pipeline.backfill import backfill
from pipeline.projection_cache.projections import Projections
from serving_signatures import parity_process, projection_cache
from serving_signatures.names import CACHES
from serving_signatures.projection_cache import ProjectionCache
from tests import synthetic
from tests.pipeline import projection_data
from tests.pipeline.projection_data import ID, TARGET, contents, published
from tests.serving_signatures import serving

ITEMS = 1000
SMALL = {"rows_per_part": 150, "batch_size": 64}


@dataclasses.dataclass(frozen=True)
class Saved:
    """A model on disk and in memory."""

    folder: str
    loaded: object


@dataclasses.dataclass(frozen=True)
class Data:
    """A catalogue and its vectors, on disk and in memory."""

    items: str
    item_ids: np.ndarray
    embeddings: dict
    vectors: dict


@pytest.fixture(scope="module")
def model():
    return serving.random_model()


@pytest.fixture(scope="module")
def plain(model, tmp_path_factory):
    """Requests carry the vectors."""
    folder = projection_data.save_model(tmp_path_factory.mktemp("plain") / "1", model)
    return Saved(folder, tf.saved_model.load(folder))


@pytest.fixture(scope="module")
def tables(model, tmp_path_factory):
    """The vectors are inside."""
    folder = tmp_path_factory.mktemp("tables") / "1"
    projection_data.save_model(folder, model, synthetic.embedding_sets())
    return Saved(str(folder), tf.saved_model.load(str(folder)))


def write(folder, item_ids, vectors=None):
    vectors = projection_data.vectors(item_ids) if vectors is None else vectors
    return Data(
        projection_data.write_items(folder / "items" / "a.parquet", item_ids),
        item_ids,
        projection_data.write_embeddings(folder, item_ids, vectors),
        vectors,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data"), projection_data.catalogue(ITEMS))


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """Loads each model once for all tests of this file, rather than twice a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.saved_model, "load", functools.lru_cache(tf.saved_model.load))
        yield


@pytest.fixture(scope="module")
def first_version(plain, data, tmp_path_factory):
    """Bytes by path of an output with version 1 of both caches."""
    output = tmp_path_factory.mktemp("first") / "out"
    backfill(plain.folder, data.items, str(output), data.embeddings, **SMALL)
    return contents(output)


def copied(files, output):
    """Writes files by path into a folder of their own."""
    for name, content in files.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).write_bytes(content)
    return output


@pytest.fixture
def filled(first_version, tmp_path):
    """A copy of that output."""
    return copied(first_version, tmp_path / "out")


@pytest.fixture
def computed(monkeypatch):
    """Item ids by cache that workers had the model compute since, samples not among them."""
    seen = {cache: [] for cache in CACHES}
    original = Projections.compute

    def recorded(self, cache, tag, item_ids, quantized):
        seen[cache].append(len(item_ids))
        return original(self, cache, tag, item_ids, quantized)

    monkeypatch.setattr(Projections, "compute", recorded)
    return seen


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
    item_ids = projection_data.catalogue(200)
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
    item_ids = np.unique(np.concatenate([one.reshape(-1) for one in sample.item_ids.values()]))
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
    inputs = sample.score_request(kind == "tables")
    expected = parity_process.call(saved.loaded.signatures["score_request"], inputs)
    wanted = saved.loaded.signatures["score_cached"].structured_input_signature[1]
    cached = {name: value for name, value in inputs.items() if name in wanted}
    for cache, tag in CACHES.items():
        opened = ProjectionCache.open(output, cache)
        cached[tag] = np.full(3, opened.tag.encode(), object)
        for side in ("candidate", "history"):
            known, found = opened.lookup(sample.item_ids[side])
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
    more = write(tmp_path / "more", np.concatenate([new, data.item_ids]))
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


def test_changed_vectors_are_computed_again_and_departed_items_leave(
    plain, data, filled, tmp_path, computed
):
    vectors = {name: one.copy() for name, one in data.vectors.items()}
    vectors["image"][[3, 400]] = projection_data.vectors(data.item_ids[[3, 400]], seed=1)["image"]
    # Quantisation swallows the scale: nothing that depends on the vector changes.
    vectors["text"][77] *= 2
    kept = np.delete(np.arange(ITEMS), [10, 11, 12])
    later = write(
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


def test_a_new_id_training_makes_one_cache_stale_and_a_new_set_the_other(
    tables, tmp_path, computed
):
    item_ids = projection_data.catalogue(120)
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
    (output / ID / "parts").mkdir(parents=True)
    (output / ID / "parts" / "abandoned.parquet.123.tmp").write_bytes(b"half")
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
        column = table[output_name].combine_chunks()
        is_list = pa.types.is_fixed_size_list(column.type)
        flat = (column.flatten() if is_list else column).to_numpy()
        flat = np.where(flat < 127, flat + 1, flat - 1).astype(flat.dtype)
        values = pa.array(flat)
        if is_list:
            values = pa.FixedSizeListArray.from_arrays(values, column.type.list_size)
        place = table.schema.get_field_index(output_name)
        return table.set_column(place, output_name, values)

    rewritten(part, change)
    more = np.append(data.item_ids, 4)
    items = projection_data.write_items(tmp_path / "items.parquet", more)
    with pytest.raises(UserInputError, match=f"{output_name} of item .* differs"):
        backfill(plain.folder, items, str(filled), data.embeddings, **SMALL)
    assert (filled / cache / "CURRENT").read_text() == "1\n"
    backfill(plain.folder, items, str(filled), data.embeddings, recompute=True, **SMALL)
    expected = projection_data.outputs(plain.loaded, ID, more)
    projection_data.assert_holds(filled, ID, more, expected)


def test_a_dry_run_plans_and_writes_nothing(plain, data, tmp_path, caplog):
    output = tmp_path / "out"
    with caplog.at_level(logging.INFO, logger="absl"):
        plans = backfill(plain.folder, data.items, str(output), data.embeddings, dry_run=True)
    assert not output.exists()
    for cache in plans:
        assert f"Plan: {cache}: nothing is published yet; all 1,000 items are co" in caplog.text


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def stop_after(monkeypatch):
    """A function that lets so many more files be written, None for any number.

    Called again it returns how many were written since.
    """
    state = {"left": None, "written": 0}
    original = storage.OutputFile.__exit__

    def counted(self, kind, error, traceback):
        if state["left"] is not None and state["written"] >= state["left"]:
            original(self, KilledError, None, None)
            raise KilledError
        state["written"] += 1
        return original(self, kind, error, traceback)

    monkeypatch.setattr(storage.OutputFile, "__exit__", counted)

    def stop(left=None):
        written = state["written"]
        state.update(left=left, written=0)
        return written

    return stop


def killed(run, *arguments):
    with pytest.raises(BaseException) as ended:
        run(*arguments)
    assert "KilledError" in repr(ended.value)


def test_a_run_that_ends_at_any_write_leaves_a_whole_version(plain, data, tmp_path, stop_after):
    first = write(tmp_path / "first", data.item_ids[:300])
    second = write(tmp_path / "second", data.item_ids[:310])

    def run(data_set, output):
        more = {"rows_per_part": 200, "batch_size": 64, "verify_rows": 8}
        backfill(plain.folder, data_set.items, str(output), data_set.embeddings, **more)

    run(first, tmp_path / "whole")
    begun = contents(tmp_path / "whole")
    before = {cache: published(tmp_path / "whole", cache) for cache in CACHES}
    stop_after()
    run(second, tmp_path / "whole")
    writes = stop_after()
    after = {cache: published(tmp_path / "whole", cache) for cache in CACHES}
    assert writes > 10
    # Every fourth, and those of the two manifests and pointers.
    for moment in sorted({*range(0, writes, 4), *range(writes - 4, writes)}):
        output = tmp_path / f"out-{moment}"
        copied(begun, output)
        stop_after(moment)
        killed(run, second, output)
        stop_after()
        for cache in CACHES:
            assert published(output, cache) in (before[cache], after[cache])
        run(second, output)
        assert contents(output) == contents(tmp_path / "whole")


def test_parts_that_a_killed_run_finished_are_not_computed_again(
    plain, data, filled, tmp_path, stop_after, computed
):
    output = tmp_path / "again"
    # Seven parts of the first cache need 21 arrays, of the second 35; each is a file and a note.
    stop_after(56 + 2 * 9)

    def run():
        backfill(plain.folder, data.items, str(output), data.embeddings, **SMALL)

    killed(run)
    stop_after()
    done = [len(list((output / cache / "parts").glob("*.parquet"))) for cache in CACHES]
    assert sum(done) >= 9
    assert not (output / ID / "CURRENT").exists()
    for seen in computed.values():
        seen.clear()
    run()
    # Workers compute whole parts; a sample is of less than 60 rows.
    again = [sum(count > 60 for count in computed[cache]) for cache in CACHES]
    assert sum(again) == 14 - 9
    assert contents(output) == contents(filled)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": {}}, r"--embeddings are of \[\], but .* reads \['image', 'text'\]"),
        ({"saved_model": "."}, "has no assets.extra/manifest.json"),
        ({"items": "nowhere"}, "--items"),
        ({"beam_args": ["--no_such_flag=1"]}, "--no_such_flag"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_written(plain, data, tmp_path, change, message):
    arguments = {
        "saved_model": plain.folder,
        "items": data.items,
        "output": str(tmp_path / "out"),
        "embeddings": data.embeddings,
    }
    with pytest.raises(UserInputError, match=message):
        backfill(**{**arguments, **change})
    assert not (tmp_path / "out").exists()


def test_sets_that_are_not_the_models_are_refused(plain, tables, data, tmp_path):
    swapped = {"text": data.embeddings["image"], "image": data.embeddings["text"]}
    with pytest.raises(UserInputError, match="widths"):
        backfill(plain.folder, data.items, str(tmp_path / "out"), swapped)
    with pytest.raises(UserInputError, match="fingerprints"):
        backfill(tables.folder, data.items, str(tmp_path / "out"), data.embeddings)


def test_rows_without_an_id_and_repeated_ids_are_counted(plain, data, tmp_path):
    (tmp_path / "items").mkdir()
    for number, ids in enumerate([["a", None, "b"], ["", "b", "c", "a"]]):
        table = pa.table({"item_id": pa.array(ids).dictionary_encode()})
        pq.write_table(table, tmp_path / "items" / f"{number}.parquet")
    with pytest.raises(UserInputError, match="a string in"):
        backfill(plain.folder, str(tmp_path / "items"), str(tmp_path / "out"), data.embeddings)
    names = np.array(["a", "b"])
    folders = projection_data.write_embeddings(
        tmp_path, names, projection_data.vectors(np.array([1, 2]))
    )
    backfill(plain.folder, str(tmp_path / "items"), str(tmp_path / "out"), folders)
    values = published(tmp_path / "out", TARGET)
    assert values["items"] == 3
    assert values["catalogue"] == {"rows": 7, "null": 1, "empty": 1, "duplicate": 2}


def test_another_backfill_of_the_same_output_is_refused(plain, data, filled):
    with publish.locked(str(filled)), pytest.raises(UserInputError, match="is being written"):
        backfill(plain.folder, data.items, str(filled), data.embeddings, **SMALL)


def test_object_stores_hold_the_same_bytes(plain, data, tmp_path, s3):
    bucket = s3.bucket()
    for items in (data.item_ids[:100], data.item_ids[:110]):
        path = projection_data.write_items(tmp_path / "items.parquet", items)
        for output in (f"s3://{bucket}/projections", str(tmp_path / "out")):
            backfill(plain.folder, path, output, data.embeddings, rows_per_part=60)
    expected = contents(tmp_path / "out")
    assert s3.objects(bucket) == {f"projections/{name}": one for name, one in expected.items()}
    known, _ = ProjectionCache.open(f"s3://{bucket}/projections", TARGET).lookup(items)
    assert known.all()
