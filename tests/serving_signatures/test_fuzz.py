"""Whatever is sent, the answer is a finite score or a refusal by name, and the server lives."""

import collections
import warnings

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving_signatures.export import parity_process
from tests.serving_signatures import fuzz, serving
from tests.serving_signatures.client import local_server

REQUESTS = 500
NAMES = {
    grpc.StatusCode.NOT_FOUND: "Servable not found for request",
    grpc.StatusCode.FAILED_PRECONDITION: "Serving signature key",
    grpc.StatusCode.INVALID_ARGUMENT: ("Unrecognized servable version label", "ModelSpec has no"),
}


@pytest.fixture
def stub(published, addresses):
    with local_server.channel_to(addresses[published.tables_inside]) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def good_inputs(published):
    sample = serving.requests((2, 3, 4), published.embeddings, seed=10)
    inputs = serving.inputs(sample, published.tables_inside)
    cached = parity_process.cached_inputs(published.signatures, inputs)
    cached |= {name: cached[name].astype(object) for name in ("id_tag", "target_aware_tag")}
    return {
        "serving_default": {"examples": sample["examples"]},
        "score_request": inputs,
        "score_cached": cached,
        **parity_process.projection_inputs(inputs, "candidate_"),
    }


def refusal_is_right(case: fuzz.Case, error: grpc.RpcError) -> bool:
    """Whether it is INVALID_ARGUMENT by name; or, for a name that there is not, what TF has."""
    if "NAMES" in case.blamed:
        return error.details().startswith(NAMES.get(error.code(), ()) or "\0")
    if error.code() != grpc.StatusCode.INVALID_ARGUMENT:
        return False
    if "ANY" in case.blamed:  # A damaged record: by feature, or by the op that reads records.
        read = ("ParseExample", "parse example", "history_", "candidate_", "similarity_")
        return any(name in error.details() for name in read)
    return any(name in error.details() for name in case.blamed)


@pytest.mark.slow
def test_a_fuzzed_request_gets_a_finite_score_or_is_refused_by_name(published, stub):
    good = good_inputs(published)
    right = predict_pb2.PredictRequest()
    right.model_spec.name, right.model_spec.signature_name = local_server.NAME, "score_request"
    for name, value in good["score_request"].items():
        right.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    expected = parity_process.call(published.signatures["score_request"], good["score_request"])
    seen = collections.Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # Casts that overflow, on purpose.
        for case in fuzz.cases(good, local_server.NAME, REQUESTS, seed=11):
            kind = case.kind.partition("/")[2]
            try:
                response = stub.Predict(case.request)
            except grpc.RpcError as error:
                assert refusal_is_right(case, error), (case.kind, error.code(), error.details())
                seen[kind, "refused"] += 1
                continue
            seen[kind, "scored"] += 1
            for name, proto in response.outputs.items():
                values = tf.make_ndarray(proto)
                assert values.dtype.kind != "f" or np.isfinite(values).all(), (case.kind, name)
            if sum(seen.values()) % 50 == 0:
                outputs = stub.Predict(right).outputs
                np.testing.assert_array_equal(tf.make_ndarray(outputs["click"]), expected["click"])
    np.testing.assert_array_equal(
        tf.make_ndarray(stub.Predict(right).outputs["click"]), expected["click"]
    )
    # Without this, a generator that spoils nothing would pass.
    always_refused = {"extra", "missing", "names", "not_finite", "output_filter", "rank"}
    for kind in fuzz.SPOILED:
        assert seen[kind, "refused"] + seen[kind, "scored"] > 0, kind
        assert kind not in always_refused or not seen[kind, "scored"], kind
    assert seen["over_long", "scored"] > 10
    assert seen["huge", "scored"] > 0
