"""Retries and deadlines are the channel's own."""

import time
from concurrent import futures

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving_signatures.client.channel import open_channel
from serving_signatures.client.remote_model import RemoteModel

# Larger than what grpc retries by default.
INPUTS = {"x": np.ones([1000, 1000], np.float32)}


class Scripted(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Fails with the given codes, one per call, then answers."""

    def __init__(self, codes=(), seconds=0.0):
        self.codes = list(codes)
        self.seconds = seconds
        self.calls = 0

    def Predict(self, request, context):  # noqa: N802
        self.calls += 1
        time.sleep(self.seconds)
        if self.codes:
            context.abort(self.codes.pop(0), "on purpose")
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = 3
        return response


@pytest.fixture
def address_of():
    servers = []

    def start(servicer):
        server = grpc.server(
            futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)]
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("localhost:0")
        server.start()
        servers.append(server)
        return f"localhost:{port}"

    yield start
    for server in servers:
        server.stop(None).wait()


def call(address, **options):
    with open_channel(address, **options) as channel:
        return RemoteModel(channel, "m").call("s", INPUTS)


def test_a_server_that_is_unavailable_twice_is_asked_three_times(address_of):
    servicer = Scripted([grpc.StatusCode.UNAVAILABLE] * 2)
    assert call(address_of(servicer), timeout_seconds=200).version == 3
    assert servicer.calls == 3


@pytest.mark.parametrize(
    ("code", "attempts", "calls"),
    [("UNAVAILABLE", 3, 3), ("UNAVAILABLE", 1, 1), ("INVALID_ARGUMENT", 4, 1), ("INTERNAL", 4, 1)],
)
def test_attempts_end_and_nothing_else_is_retried(address_of, code, attempts, calls):
    servicer = Scripted([grpc.StatusCode[code]] * 9)
    with pytest.raises(grpc.RpcError) as raised:
        call(address_of(servicer), timeout_seconds=200, attempts=attempts)
    assert raised.value.code() == grpc.StatusCode[code]
    assert servicer.calls == calls


def test_a_call_ends_at_its_deadline(address_of):
    address = address_of(Scripted(seconds=5))
    begin = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        call(address, timeout_seconds=0.3)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - begin < 4
