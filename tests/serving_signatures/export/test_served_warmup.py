"""Warm-up records have the sizes that were served, and are made of what was served."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from features.errors import UserInputError
from serving_signatures.export import served_requests, warmup
from serving_signatures.export.saved_model import export_saved_model
from serving_signatures.export.warmup_calls import WarmupCalls
from serving_signatures.request_logs.redaction import Redaction
from serving_signatures.request_logs.request_log import RequestLog
from tests import synthetic
from tests.serving_signatures import serving


@pytest.fixture(scope="module")
def signatures(traced, model, embeddings):
    return traced(model, embeddings)


def inputs_of(shape, embeddings, seed=3):
    return serving.inputs(serving.requests(shape, embeddings, seed), tables_inside=True)


def write_log(folder, calls, redaction=None):
    """Logs calls: inputs, seconds, and the signature if it is another."""
    with RequestLog(str(folder), rate=1, redaction=redaction, queue_size=1000) as log:
        for inputs, seconds, *signature in calls:
            request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
            request.model_spec.name = "ctr"
            request.model_spec.signature_name = signature[0] if signature else "score_request"
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            response.outputs["click"].CopyFrom(tf.make_tensor_proto([0.5]))
            log.offer(request, response, seconds)
    assert log.counts() == {"log.written": len(calls)}
    return [str(folder)]


def sizes_of(served):
    return [(one.candidates, one.behaviors) for one in served.sizes]


def warm_up(signatures, embeddings, served, batch_sizes=(1, 2)):
    calls = WarmupCalls(signatures, embeddings, synthetic.item_ids(), batch_sizes)
    return calls.calls(served)


def shapes(calls, signature):
    """R, C and L of the calls of a scoring signature."""
    return [
        (*inputs["candidate_mask"].shape, inputs["history_mask"].shape[1])
        for name, inputs in calls
        if name == signature
    ]


INVENTED = [(size, 16, synthetic.SCHEMA.history_length) for size in (1, 2)]


def test_the_quantiles_and_the_slowest_are_chosen(tmp_path, signatures, embeddings):
    small, usual, large, slow = (
        inputs_of((1, *size), embeddings) for size in ((2, 4), (8, 16), (32, 16), (4, 2))
    )
    calls = [(small, 0.001)] * 60 + [(usual, 0.002)] * 35 + [(large, 0.003)] * 5
    # One slow call of a small size is an accident, many of them are not.
    calls += [(small, 9.0)]
    found = served_requests.read(write_log(tmp_path / "a", calls), signatures, 2)
    assert sizes_of(found) == [(2, 4), (8, 16), (32, 16)]
    assert found.requests == 101
    assert found.sizes[0].why == "percentile 50 of 101 requests"
    found = served_requests.read(write_log(tmp_path / "b", [*calls, (slow, 0.02)]), signatures, 2)
    assert sizes_of(found) == [(2, 4), (8, 16), (32, 16), (4, 2)]
    assert found.sizes[3].why == "the slowest size, 20.0 ms in the median"


def test_records_have_the_values_that_were_served(tmp_path, signatures, embeddings):
    first, second = (inputs_of((1, 5, 7), embeddings, seed) for seed in (1, 2))
    served = served_requests.read(write_log(tmp_path, [(first, 0.1), (second, 0.1)]), signatures, 4)
    calls, sizes = warm_up(signatures, embeddings, served, (1, 2, 4))
    assert shapes(calls, "score_request") == [(1, 5, 7), (2, 5, 7), (4, 5, 7)]
    assert shapes(calls, "score_cached") == [(1, 5, 7), (2, 5, 7), (4, 5, 7)]
    assert sizes == [
        {
            "candidates": 5,
            "behaviors": 7,
            "batch_sizes": [1, 2, 4],
            "why": "percentile 50 of 2 requests",
        }
    ]
    (four,) = (
        one for name, one in calls if name == "score_request" and len(one["history_mask"]) == 4
    )
    assert four.keys() == first.keys()
    for name, values in four.items():
        np.testing.assert_array_equal(values, np.concatenate([first[name], second[name]] * 2))
    other = {name for name, _ in calls} - {"score_request", "score_cached"}
    assert other == {"serving_default", "id_projections", "target_aware_projections"}


def test_calls_from_caches_give_sizes_and_what_is_not_of_a_cache(tmp_path, signatures, embeddings):
    inputs = inputs_of((1, 5, 7), embeddings)
    specs = signatures.functions["score_cached"].structured_input_signature[1]
    cached = serving.parity_process.cached_inputs(signatures.functions, inputs)
    # Of another model: only its own tag would be answered.
    cached["id_tag"] = np.array([b"0" * 16], object)
    assert cached.keys() == specs.keys()
    log = write_log(tmp_path, [(cached, 0.1, "score_cached")])
    calls, _ = warm_up(signatures, embeddings, served_requests.read(log, signatures, 2))
    assert shapes(calls, "score_cached") == [(1, 5, 7), (2, 5, 7)]
    (one,) = (one for name, one in calls if name == "score_cached" and len(one["id_tag"]) == 1)
    assert one["id_tag"][0].decode() == signatures.tags["id_tag"]
    np.testing.assert_array_equal(one["context_age"], inputs["context_age"])
    np.testing.assert_array_equal(one["history_time_gap"], inputs["history_time_gap"])


def test_what_was_redacted_is_drawn(tmp_path, signatures, embeddings):
    inputs = inputs_of((1, 5, 7), embeddings)
    log = write_log(tmp_path, [(inputs, 0.1)], Redaction(["candidate_item_id", "context_age"]))
    served = served_requests.read(log, signatures, 2)
    assert served.sizes[0].inputs.keys() == inputs.keys() - {"candidate_item_id", "context_age"}
    calls, _ = warm_up(signatures, embeddings, served)
    (one,) = (
        one for name, one in calls if name == "score_request" and len(one["history_mask"]) == 1
    )
    assert one["candidate_item_id"].any()
    np.testing.assert_array_equal(one["history_item_id"], inputs["history_item_id"])


def repeated(name, shape):
    """An input whose shape is not what its bytes hold."""

    def change(request):
        tensor = request.inputs[name].tensor_shape
        del tensor.dim[:]
        for size in shape:
            tensor.dim.add(size=size)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda one: {**one, "more": np.zeros((1, 2))},
            r"only one of log and version has: \['more",
        ),
        (lambda one: {**one, "context_age": np.zeros((1, 1))}, "context_age has dtype 2 and shape"),
        (lambda one: {**one, "context_age": np.zeros(1, np.float32)}, r"context_age.*shape \[1\]"),
    ],
)
def test_a_log_of_another_model_is_refused_with_its_name(
    tmp_path, signatures, embeddings, change, message
):
    log = write_log(tmp_path, [(change(inputs_of((1, 5, 7), embeddings)), 0.1)])
    with pytest.raises(UserInputError, match=rf"call of model 'ctr', signature .*{message}"):
        served_requests.read(log, signatures, 2)


def test_calls_of_other_signatures_are_refused_with_their_name(tmp_path, signatures, embeddings):
    log = write_log(tmp_path, [({"examples": np.array([b"x"], object)}, 0.1, "serving_default")])
    with pytest.raises(UserInputError, match="signature 'serving_default', expected one of"):
        served_requests.read(log, signatures, 2)


def test_what_the_version_would_refuse_is_left_out(tmp_path, signatures, embeddings):
    good = inputs_of((1, 5, 7), embeddings)
    empty = {
        name: value[:, :0] if name.startswith("candidate_") else value
        for name, value in good.items()
    }
    bad = {**inputs_of((1, 6, 7), embeddings)}
    bad["history_type"] = bad["history_type"] + 1000
    log = write_log(tmp_path, [(good, 0.1), (empty, 0.1), (bad, 0.2)])
    served = served_requests.read(log, signatures, 2)
    assert served.left_out == {"without candidates, or larger than --max_pairs": 1}
    calls, sizes = warm_up(signatures, embeddings, served)
    assert shapes(calls, "score_request") == [(1, 5, 7), (2, 5, 7)]
    assert len(sizes) == 1


def test_a_shape_that_a_file_claims_takes_no_memory(tmp_path, signatures, embeddings):
    good, claimed = (inputs_of((1, 5, size), embeddings) for size in (7, 8))
    log = write_log(tmp_path / "log", [(good, 0.1)])
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = "score_request"
    for name, value in claimed.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value.reshape(-1)[:1]))
        repeated(
            name, [1, *([200_000] if name.startswith("candidate_") else []), *value.shape[2:]]
        )(request)
    entry = prediction_log_pb2.PredictionLog()
    entry.predict_log.request.CopyFrom(request)
    entry.predict_log.response.outputs["click"].CopyFrom(tf.make_tensor_proto([0.5]))
    with tf.io.TFRecordWriter(str(tmp_path / "log" / "z.tfrecord")) as writer:
        writer.write(entry.SerializeToString())
    served = served_requests.read(log, signatures, 2)
    assert sizes_of(served) == [(5, 7)]
    assert sum(served.left_out.values()) == 1


def test_number_and_bytes_are_capped_and_every_batch_size_is_covered(
    tmp_path, signatures, embeddings, monkeypatch
):
    small, large = (inputs_of((1, *size), embeddings) for size in ((4, 2), (400, 50)))
    log = write_log(tmp_path, [(small, 0.1), (large, 0.2)])
    served = served_requests.read(log, signatures, 2)
    assert sizes_of(served) == [(4, 2), (400, 50)]
    monkeypatch.setattr(warmup, "MAXIMUM_BYTES", 60_000)
    calls, _ = warm_up(signatures, embeddings, served)
    assert shapes(calls, "score_request") == [(1, 4, 2), (2, 4, 2)]
    monkeypatch.setattr(warmup, "MAXIMUM_BYTES", 0)
    calls, sizes = warm_up(signatures, embeddings, served)
    assert (shapes(calls, "score_request"), sizes) == (INVENTED, [])
    monkeypatch.setattr(warmup, "MAXIMUM_BYTES", 1 << 30)
    monkeypatch.setattr(warmup, "MAXIMUM_RECORDS", 14)
    calls, _ = warm_up(signatures, embeddings, served)
    assert len(calls) <= 14
    assert shapes(calls, "score_request") == [(1, 4, 2), (2, 4, 2)]


def test_without_a_log_each_signature_has_one_size(signatures, embeddings):
    calls, sizes = warm_up(signatures, embeddings, None)
    assert (shapes(calls, "score_request"), sizes) == (INVENTED, [])
    assert len(calls) == 10


def test_the_gate_runs_records_of_served_requests(tmp_path, model, embeddings):
    usual, large = (inputs_of((1, *size), embeddings) for size in ((5, 7), (9, 20)))
    log = write_log(tmp_path / "log", [(usual, 0.1)] * 3 + [(large, 0.2)])
    exported = export_saved_model(
        model, str(tmp_path / "ctr"), embeddings, (1, 2), warmup_requests=log
    )
    assert exported.parity["warmup"]["score_request"] == [1, 1, 2, 2]
    assert exported.parity["warmup"]["serving_default"] == [1, 2]
    extras = os.path.join(exported.folder, "assets.extra")
    with open(os.path.join(extras, "manifest.json")) as file:
        values = json.load(file)["warmup"]
    assert values["requests"] == 4
    assert [(one["candidates"], one["behaviors"]) for one in values["sizes"]] == [(5, 7), (9, 20)]
    found = []
    for data in tf.data.TFRecordDataset(os.path.join(extras, warmup.FILE_NAME)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(data).predict_log.request
        if request.model_spec.signature_name == "score_request":
            found.append(tuple(tf.make_ndarray(request.inputs["candidate_mask"]).shape))
    assert sorted(found) == [(1, 5), (1, 9), (2, 5), (2, 9)]
