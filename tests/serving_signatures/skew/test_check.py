"""Replayed records are equal to what is served, and what is not is found and named."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from features.errors import UserInputError
from features.id_kinds import IdKinds
from models.inputs.example_set import ExampleSet
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from serving_signatures.skew import drawing
from serving_signatures.versions.loaded_version import LoadedVersion
from tests import quick_python
from tests.pipeline.join import logs
from tests.serving_signatures.skew import served_examples
from tests.serving_signatures.skew.comparisons import (
    COMPARED,
    MODALITIES,
    check,
    different,
    with_code_plus_one,
    write_log,
)


def test_joined_records_are_served_as_they_were_joined(model, joined):
    found, what = check(model, joined.examples, joined.embeddings)
    assert different(found) == set()
    inside = {f"embedding_{name}" for name in model.holds_tables}
    assert set(found) == COMPARED | inside
    assert what["records"] > 50
    for name in MODALITIES:
        assert found[f"similarity_{name}"].compared > 500
        assert what["coverage"]["with_vector"][name] > 20
    assert 0 < what["coverage"]["known"] <= what["coverage"]["items"]
    assert not any(one.set_apart for one in found.values())


def test_the_table_inside_is_enough(tables, joined):
    found, _ = check(tables, joined.examples)
    assert different(found) == set()
    assert found["similarity_text"].compared > 500


def test_the_choice_is_seeded(joined):
    paths = joined.examples.shards("test")
    every = drawing.draw_records(paths, 10**6, 0)
    some = drawing.draw_records(paths, 20, 1)
    assert some == drawing.draw_records(paths, 20, 1)
    assert some != drawing.draw_records(paths, 20, 2)
    assert [one for one in every if one in some] == some
    assert len(set(some)) == 20


@pytest.mark.slow
def test_one_changed_code_is_found_and_ends_with_1(tmp_path, tables, joined):
    done = []

    def change(record, number):
        changed = with_code_plus_one(record, "image") if number > 30 and not done else None
        if changed is not None:
            done.append(tf.train.Example.FromString(record).features.feature)
        return changed or record

    served_examples.with_changed_record(tmp_path / "changed", joined, change)
    (identity,) = done[0]["request_id"].int64_list.value
    command = [sys.executable, "-m", "pipeline.check_skew", f"--saved_model={tables.folder}"]
    command += [f"--examples={tmp_path / 'changed'}", f"--output={tmp_path / 'skew.json'}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr
    values = json.loads((tmp_path / "skew.json").read_text())
    assert values["skew"] is True
    found = {one["feature"]: one for one in values["comparisons"]}
    assert found["similarity_image"]["different"] == 1
    assert found["similarity_image"]["largest"] == 1
    assert f"(request_id {identity})" in found["similarity_image"]["worst"]["record"]
    assert not found["similarity_text"]["different"]
    worst = next(line for line in run.stdout.splitlines() if line.startswith("similarity_image:"))
    assert f"(request_id {identity})" in worst
    assert "equal" not in run.stdout


def other_set(folder):
    return logs.write_embeddings(folder, logs.random_embeddings(99, served_examples.ITEMS, 16))


def test_another_embedding_set_is_found(tmp_path, model, joined):
    other = {**joined.embeddings, "text": other_set(tmp_path / "text")}
    found, _ = check(model, joined.examples, other)
    names = different(found)
    assert {"similarity_text", "candidate_embedding_text"} <= names
    assert not any("image" in name for name in names)
    if model.holds_tables:
        assert "embedding_text" in names
        assert "score:click" not in names
    else:
        assert "score:click" in names


def test_ids_of_another_kind_than_the_models_are_refused(tmp_path, model, joined):
    vectors = logs.random_embeddings(0, range(40), 16)
    integers = {**joined.embeddings, "text": logs.write_embeddings(tmp_path / "text", vectors)}
    with pytest.raises(UserInputError, match=r"item ids are integers, .* the model are strings"):
        check(model, joined.examples, integers)
    schema = dataclasses.replace(joined.examples.schema, id_kinds=IdKinds(item="integer"))
    examples = dataclasses.replace(joined.examples, schema=schema)
    with pytest.raises(UserInputError, match=r"/examples': item ids are integers, .* are strings"):
        check(model, examples, joined.embeddings)


@pytest.mark.slow
def test_a_model_with_another_table_is_found(tmp_path, joined):
    sets = {**joined.embeddings, "text": other_set(tmp_path / "text")}
    other = dataclasses.replace(joined, embeddings=sets)
    found, _ = check(served_examples.publish(tmp_path, other, True), joined.examples)
    assert {"similarity_text", "score:click"} <= different(found)
    assert not found["similarity_image"].different


def test_what_came_late_is_set_apart(model, late):
    found, _ = check(model, late.examples, late.embeddings)
    assert different(found) == set()
    for name in MODALITIES:
        assert found[f"similarity_{name}"].set_apart > 20
        assert found[f"candidate_embedding_{name}"].set_apart
    # A client leaves late vectors out; a table has them.
    assert bool(found["score:click"].set_apart) == bool(model.holds_tables)
    assert found["score:click"].compared


def test_a_record_that_knew_a_late_vector_is_found(tables, joined, late):
    found, _ = check(tables, joined.examples, late.embeddings)
    assert different(found) == {
        f"{feature}_{name}"
        for feature in ("similarity", "candidate_embedding")
        for name in MODALITIES
    }


def test_a_record_that_serving_refuses_is_found(tmp_path, tables, joined):
    def change(record, number):
        if number != 5:
            return record
        parsed = tf.train.Example.FromString(record)
        parsed.features.feature["context_rating"].float_list.value[0] = np.nan
        return parsed.SerializeToString(deterministic=True)

    changed = served_examples.with_changed_record(tmp_path / "changed", joined, change)
    found, _ = check(tables, changed)
    assert different(found) == {"score:refused"}
    assert "context_rating: values must be finite" in found["score:refused"].worst["received"]


@pytest.mark.guarantee("replaced", "check_skew")
def test_records_of_a_replaced_shard_are_refused(tmp_path, tables, joined):
    shutil.copytree(joined.examples.folder, tmp_path / "set")
    first, second, *_ = ExampleSet.open(str(tmp_path / "set")).shards("test")
    shutil.copy(first, second)
    with pytest.raises(UserInputError, match=rf"{os.path.basename(second)}.*join again"):
        check(tables, ExampleSet.open(str(tmp_path / "set")))


def test_what_is_missing_or_does_not_belong_is_named(tmp_path, tables, vectors, joined):
    text = {"text": joined.embeddings["text"]}
    with pytest.raises(UserInputError, match=r"--embeddings image=DIR"):
        check(vectors, joined.examples, text)
    with pytest.raises(UserInputError, match="'sound'"):
        check(tables, joined.examples, {"sound": text["text"]})
    with pytest.raises(UserInputError, match=r"16 values.* 9 for 'image'"):
        check(tables, joined.examples, {"image": text["text"]})
    with pytest.raises(UserInputError, match="no records in split 'tets'"):
        check(tables, joined.examples, split="tets")
    schema = dataclasses.replace(joined.examples.schema, labels=("liked",))
    with pytest.raises(UserInputError, match="Join with the same labels"):
        check(tables, dataclasses.replace(joined.examples, schema=schema))
    (tmp_path / "log").write_bytes(b"no TFRecord at all")
    with pytest.raises(UserInputError, match="cannot be read as TFRecords"):
        check(tables, requests=[str(tmp_path / "log")])
    answerless = write_log(tmp_path / "empty", [prediction_log_pb2.PredictionLog()])
    with pytest.raises(UserInputError, match="no Predict request"):
        check(tables, requests=answerless)


def test_nothing_to_replay_ends_with_2(tmp_path):
    run = quick_python.run_job("pipeline.check_skew", f"--saved_model={tmp_path}")
    assert run.returncode == 2
    assert "--requests" in run.stderr and "Traceback" not in run.stderr


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserInputError, match=r"pipeline\.export published"):
        LoadedVersion.open(str(tmp_path))


@pytest.mark.slow
def test_real_ratings_are_served_as_they_were_joined(tmp_path, shared_data):
    ratings = pq.read_table(shared_data / "ratings.parquet")
    users = pa.array(ratings["user_id"].unique().to_pylist()[:40])
    (tmp_path / "log").mkdir()
    own = ratings.filter(pa.compute.is_in(ratings["user_id"], users))
    pq.write_table(own, tmp_path / "log" / "ratings.parquet")
    embeddings = {
        name: str(shared_data / "embeddings" / f"{name}.parquet") for name in ("text", "image")
    }
    options = {
        "events": str(tmp_path / "log"),
        "embeddings": embeddings,
        "output": str(tmp_path / "examples"),
        "derive_label": ("liked = rating >= 4",),
        "behavior_rule": "all",
    }
    build_examples(JoinOptions.from_dict(options))
    examples = ExampleSet.open(options["output"])
    joined = served_examples.Joined(examples, embeddings)
    for inside in (True, False):
        model = served_examples.publish(tmp_path / f"inside-{inside}", joined, inside)
        found, what = check(model, examples, embeddings, count=200)
        assert different(found) == set()
        assert what["records"] == 200
        assert found["similarity_image"].compared > 5_000
