"""Replayed records and logs are equal to what is served, and what is not is found and named."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from features.errors import UserInputError
from models.example_set import ExampleSet
from pipeline import check_skew
from pipeline.build_examples import build_examples
from pipeline.join_options import JoinOptions
from serving_signatures.skew import records
from serving_signatures.skew.served_model import ServedModel
from serving_signatures.skew.tally import Tally
from tests.pipeline import logs, served_examples

MODALITIES = tuple(served_examples.WIDTHS)
COMPARED = {
    "candidate_item_id",
    "candidate_mask",
    "candidate_length",
    "candidate_running_statistics",
    "context_rating",
    "context_running_statistics",
    "history_item_id",
    "history_length",
    "history_mask",
    "history_residual",
    "history_time_gap",
    "history_type",
    "score:click",
    "score:mask",
    *(f"similarity_{name}" for name in MODALITIES),
    *(f"candidate_embedding_{name}" for name in MODALITIES),
}


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    return served_examples.join(tmp_path_factory.mktemp("joined"))


@pytest.fixture(scope="module")
def late(tmp_path_factory):
    return served_examples.join(tmp_path_factory.mktemp("late"), times=served_examples.TIMES)


@pytest.fixture(scope="module")
def tables(tmp_path_factory, joined):
    return served_examples.publish(tmp_path_factory.mktemp("tables"), joined, True)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory, joined):
    return served_examples.publish(tmp_path_factory.mktemp("vectors"), joined, False)


@pytest.fixture(params=["tables", "vectors"])
def model(request):
    return request.getfixturevalue(request.param)


def check(model, examples=None, embeddings=None, requests=(), count=1000, split="test"):
    """Returns comparisons by feature, and what was replayed."""
    tally, found = check_skew.check(model, examples, split, requests, embeddings or {}, count, 0)
    return {one.feature: one for one in tally.worst_first()}, found


def different(comparisons):
    return {name for name, one in comparisons.items() if one.different}


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
    every = records.draw(paths, 10**6, 0)
    some = records.draw(paths, 20, 1)
    assert some == records.draw(paths, 20, 1)
    assert some != records.draw(paths, 20, 2)
    assert [one for one in every if one in some] == some
    assert len(set(some)) == 20


def with_code_plus_one(record, modality):
    """Adds one to the first code that is neither unknown nor the last."""
    parsed = tf.train.Example.FromString(record)
    (codes,) = parsed.features.feature[f"similarity_{modality}"].bytes_list.value
    place = next((place for place, code in enumerate(codes) if 0 < code < 255), None)
    if place is None:
        return None
    changed = codes[:place] + bytes([codes[place] + 1]) + codes[place + 1 :]
    parsed.features.feature[f"similarity_{modality}"].bytes_list.value[0] = changed
    return parsed.SerializeToString(deterministic=True)


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


def logged(model, joined, count=6):
    """Requests of several signatures and what the model answers."""
    drawn = records.draw(joined.examples.shards("test"), count, 0)
    entries = []
    ids = np.array([records.decode(model.schema, drawn[0]).candidate_item_id[0]])
    calls = [("", {"examples": np.array([one.data], object)}) for one in drawn]
    calls += [("serving_default", {"examples": np.array([one.data for one in drawn], object)})]
    calls += [("id_projections", {"item_ids": ids})]
    for signature, inputs in calls:
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.model_spec.signature_name = signature
        for name, value in inputs.items():
            log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        log.predict_log.response.model_spec.version.value = 1
        for name, value in model.call(signature or "serving_default", inputs).items():
            log.predict_log.response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        entries.append(log)
    entries.append(prediction_log_pb2.PredictionLog())
    return entries


def write_log(path, entries):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for entry in entries:
            writer.write(entry.SerializeToString())
    return [str(path)]


def test_a_log_is_answered_again_alike(tmp_path, model, joined):
    paths = write_log(tmp_path / "log", logged(model, joined))
    found, what = check(model, None, joined.embeddings, paths)
    assert different(found) == set()
    assert what["requests"] == {"replayed": 8, "left_out": {"empty": 1}, "versions": ["1"]}
    assert what["logged_examples"] == 12
    assert found["id_projections:id_tag"].compared == 1
    assert set(found) >= COMPARED


def test_a_changed_answer_is_found(tmp_path, tables, joined):
    entries = logged(tables, joined)
    answer = entries[3].predict_log.response.outputs
    scores = tf.make_ndarray(answer["click"]).copy()
    scores[0, 0] += 1e-5
    answer["click"].CopyFrom(tf.make_tensor_proto(scores))
    tag = entries[7].predict_log.response.outputs["id_tag"]
    tag.CopyFrom(tf.make_tensor_proto([b"another"]))
    found, _ = check(tables, requests=write_log(tmp_path / "log", entries))
    assert different(found) == {"serving_default:click", "id_projections:id_tag"}
    assert found["serving_default:click"].different == 1
    assert found["serving_default:click"].worst["record"] == "log, record 3"
    assert found["id_projections:id_tag"].worst["expected"] == "another"


def test_a_logged_record_goes_through_score_request_too(tmp_path, tables, joined):
    entries = logged(tables, joined)
    changed = None
    for entry in entries[:6]:
        (record,) = entry.predict_log.request.inputs["examples"].string_val
        changed = with_code_plus_one(record, "text")
        if changed is not None:
            break
    inputs = {"examples": np.array([changed], object)}
    entry.predict_log.request.inputs["examples"].CopyFrom(tf.make_tensor_proto([changed]))
    for name, value in tables.call("serving_default", inputs).items():
        entry.predict_log.response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    found, _ = check(tables, requests=write_log(tmp_path / "log", entries))
    assert "similarity_text" in different(found)
    assert not any(name.startswith("serving_default:") for name in different(found))


def test_a_logged_request_that_is_refused_now_is_found(tmp_path, tables, vectors, joined):
    entries = logged(tables, joined)
    entries[7].predict_log.request.model_spec.signature_name = "target_aware_projections"
    found, _ = check(vectors, None, joined.embeddings, write_log(tmp_path / "log", entries))
    assert different(found) == {"target_aware_projections:refused"}
    assert "item_ids" in found["target_aware_projections:refused"].worst["received"]


def test_what_is_missing_or_does_not_belong_is_told(tmp_path, tables, vectors, joined):
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
    command = [sys.executable, "-m", "pipeline.check_skew", f"--saved_model={tmp_path}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "--requests" in run.stderr and "Traceback" not in run.stderr


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(UserInputError, match=r"pipeline\.export published"):
        ServedModel.open(str(tmp_path))


def test_differences_that_a_float_cannot_show_count():
    tally = Tally()
    large = np.array([[2**62, 2**62]])
    tally.add("ids", large, large + np.array([0, 1]), ["a"])
    tally.add("nan", np.array([[0.5]]), np.array([[np.nan]]), ["b"], tolerance=1.0)
    tally.add("both nan", np.array([[np.nan]]), np.array([[np.nan]]), ["b"])
    tally.add("shape", np.zeros((1, 2)), np.zeros((1, 3)), ["c"])
    found = {one.feature: one for one in tally.worst_first()}
    assert found["ids"].different == 1
    assert found["ids"].worst["position"] == [1]
    assert found["nan"].different == 1
    assert not found["both nan"].different
    assert found["nan"].to_dict()["largest"] == "inf"
    assert found["shape"].different == 2


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
