"""The gRPC services answer as TF Serving's do."""

import gc
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from pipeline.local_serving import services
from pipeline.local_serving.model_folder import open_model
from tests.pipeline.local_serving import tiny_model


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m") / "m"
    for version in (3, 4, 5):
        tiny_model.save(folder / str(version))
    (folder / "6").mkdir()
    model = open_model(str(folder), versions=3, labels={"stable": 4, "old": 1})
    server = services.grpc_server(model, threads=2)
    port = server.add_insecure_port("localhost:0")
    server.start()
    with grpc.insecure_channel(f"localhost:{port}") as channel:
        yield channel
    server.stop(None).wait()
    model.close()


@pytest.fixture
def prediction(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def refused(call, code, message):
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert (raised.value.code().name, raised.value.details()) == (code, message)


def test_the_response_names_model_signature_and_version(prediction):
    response = prediction.Predict(tiny_model.request(**tiny_model.inputs()))
    assert response.model_spec.name == "m"
    assert response.model_spec.signature_name == "serving_default"
    assert response.model_spec.version.value == 5
    doubled = tf.make_ndarray(response.outputs["double"])
    np.testing.assert_array_equal(doubled, np.full((3, 2), 2, np.float32))


def test_a_version_or_label_answers_itself(prediction):
    request = tiny_model.request(**tiny_model.inputs())
    request.model_spec.version.value = 5
    assert prediction.Predict(request).model_spec.version.value == 5
    request.model_spec.version_label = "stable"
    assert prediction.Predict(request).model_spec.version.value == 4


def test_what_is_not_there_is_not_found(prediction):
    request = tiny_model.request(name="other")
    message = "Servable not found for request: Latest(other)"
    refused(lambda: prediction.Predict(request), "NOT_FOUND", message)
    for number in (1, 3, 6):  # Gone, too old, damaged.
        request = tiny_model.request()
        request.model_spec.version.value = number
        message = f"Servable not found for request: Specific(m, {number})"
        refused(lambda request=request: prediction.Predict(request), "NOT_FOUND", message)
    request.model_spec.version_label = "old"
    message = "Servable not found for request: Specific(m, 1)"
    refused(lambda: prediction.Predict(request), "NOT_FOUND", message)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (predict_pb2.PredictRequest(), "Missing ModelSpec"),
        (tiny_model.request(name=""), "ModelSpec has no name specified."),
    ],
)
def test_a_request_without_a_model_is_refused(prediction, request_, message):
    request_.inputs["x"].CopyFrom(tf.make_tensor_proto(1.0))
    if message.startswith("ModelSpec"):
        request_.model_spec.SetInParent()
    refused(lambda: prediction.Predict(request_), "INVALID_ARGUMENT", message)


def test_metadata_has_the_signatures(prediction):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "m"
    response = prediction.GetModelMetadata(request)
    assert response.model_spec.version.value == 5
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert set(default.inputs) == {"x", "item_ids"}
    assert default.inputs["item_ids"].dtype == tf.int64.as_datatype_enum
    assert "slow" in signatures.signature_def
    del request.metadata_field[:]
    message = "GetModelMetadataRequest must specify at least one metadata_field"
    refused(lambda: prediction.GetModelMetadata(request), "INVALID_ARGUMENT", message)
    request.metadata_field.append("assets")
    message = "Metadata field assets is not supported"
    refused(lambda: prediction.GetModelMetadata(request), "INVALID_ARGUMENT", message)


def test_status_has_every_version(models):
    request = get_model_status_pb2.GetModelStatusRequest()
    refused(lambda: models.GetModelStatus(request), "INVALID_ARGUMENT", "Missing ModelSpec")
    request.model_spec.name = "m"
    found = {one.version: one for one in models.GetModelStatus(request).model_version_status}
    status = get_model_status_pb2.ModelVersionStatus
    assert {version: one.state for version, one in found.items()} == {
        6: status.END,
        5: status.AVAILABLE,
        4: status.AVAILABLE,
    }
    assert found[5].status.error_code == 0
    assert found[6].status.error_code != 0
    assert "6" in found[6].status.error_message
    request.model_spec.version.value = 4
    (one,) = models.GetModelStatus(request).model_version_status
    assert one.version == 4
    request.model_spec.version.value = 1
    message = "Could not find version 1 of model m"
    refused(lambda: models.GetModelStatus(request), "NOT_FOUND", message)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "other"
    message = "Could not find any versions of model other"
    refused(lambda: models.GetModelStatus(request), "NOT_FOUND", message)


def calls_that_the_server_holds():
    return sum(
        (type(one).__module__, type(one).__name__) == ("grpc._server", "_RPCState")
        for one in gc.get_objects()
    )


def test_what_is_no_message_is_refused_and_not_kept(channel, prediction):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    message = "The request is not the method's message"
    before = calls_that_the_server_holds()
    for _ in range(20):
        refused(lambda: call(b"\xff" * 200), "INTERNAL", message)
    end = time.monotonic() + 20
    while calls_that_the_server_holds() > before + 2:  # It lets go of a call after its answer.
        assert time.monotonic() < end
        time.sleep(0.05)
    assert prediction.Predict(tiny_model.request(**tiny_model.inputs())).model_spec.name == "m"


def test_other_methods_are_not_there(prediction):
    request = classification_pb2.ClassificationRequest()
    refused(lambda: prediction.Classify(request), "UNIMPLEMENTED", "Method not implemented!")
