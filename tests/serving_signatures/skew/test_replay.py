"""Logged requests are answered again alike, and what is not is found and named."""

import numpy as np
import tensorflow as tf

from tests.serving_signatures.skew.comparisons import (
    COMPARED,
    check,
    different,
    logged,
    with_code_plus_one,
    write_log,
)


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
