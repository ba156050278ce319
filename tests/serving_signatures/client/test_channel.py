"""Retries and deadlines are the channel's own."""

import inspect
import itertools
import socket
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


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("timeout_seconds", [0, -1, float("inf"), float("nan")]),
        ("attempts", [0, 6]),
        ("backoff_seconds", [0, 0.0004, float("nan")]),
    ],
)
def test_what_grpc_would_take_for_something_else_is_refused(argument, values):
    for value in values:
        with pytest.raises(ValueError, match=f"^{argument} must be .*, received {value}"):
            open_channel("localhost:1", **{argument: value})


class Slow(grpc.GenericRpcHandler):
    """Answers any call but those of health after the seconds that it is sent."""

    def service(self, handler_call_details):
        if "Health" in handler_call_details.method:
            return None

        def answer(request, context):
            time.sleep(float(request))
            return b"ok"

        return grpc.unary_unary_rpc_method_handler(answer)


PATHS = ("PredictionService/Predict", "PredictionService/GetModelMetadata")


@pytest.fixture(scope="module")
def slow_port():
    server = grpc.server(futures.ThreadPoolExecutor(64))
    server.add_generic_rpc_handlers((Slow(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


def waited(channel, path, seconds, **options):
    """The outcome of a call that the server answers after some seconds, and how long it took."""
    begin = time.monotonic()
    try:
        channel.unary_unary(f"/tensorflow.serving.{path}")(str(seconds).encode(), **options)
    except grpc.RpcError as error:
        return error.code().name, time.monotonic() - begin
    return "OK", time.monotonic() - begin


def test_the_default_deadline_is_as_documented():
    assert inspect.signature(open_channel).parameters["timeout_seconds"].default == 1.0


def test_an_answer_before_the_deadline_comes_and_one_after_it_does_not(slow_port):
    def ends_at(deadline, path):
        with open_channel(f"127.0.0.1:{slow_port}", timeout_seconds=deadline) as channel:
            grpc.channel_ready_future(channel).result(60)
            margin = max(0.05, deadline / 5)
            # A busy machine may be late with an answer, but not three times.
            outcomes = (waited(channel, path, deadline - margin)[0] for _ in range(3))
            before = "OK" in outcomes
            after = waited(channel, path, deadline + margin)
        return before, *after

    calls = list(itertools.product((0.1, 0.5, 1, 3), PATHS))
    with futures.ThreadPoolExecutor(len(calls)) as threads:
        outcomes = list(threads.map(ends_at, *zip(*calls, strict=True)))
        for (deadline, path), (before, code, seconds) in zip(calls, outcomes, strict=True):
            assert before, (deadline, path)
            assert code == "DEADLINE_EXCEEDED", (deadline, path)
            assert deadline - 0.01 <= seconds < deadline + 0.5


def test_a_timeout_of_the_call_itself_counts(slow_port):
    with open_channel(f"127.0.0.1:{slow_port}", timeout_seconds=0.2) as channel:
        assert waited(channel, PATHS[0], 0.4, timeout=5)[0] == "OK"
        code, seconds = waited(channel, PATHS[0], 5, timeout=0.1)
        assert code == "DEADLINE_EXCEEDED" and 0.1 <= seconds < 0.6


def test_retries_end_at_the_deadline_of_the_call(address_of):
    servicer = Scripted([grpc.StatusCode.UNAVAILABLE] * 9, seconds=0.2)
    begin = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        call(address_of(servicer), timeout_seconds=0.5, attempts=5)
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 0.5 <= time.monotonic() - begin < 1
    assert servicer.calls in (2, 3)


def test_each_call_of_a_request_has_the_deadline(address_of):
    servicer = Scripted(seconds=0.3)
    with open_channel(address_of(servicer), timeout_seconds=0.5) as channel:
        answers = RemoteModel(channel, "m").call_each("s", [{"x": np.ones(1)}] * 3, None)
    assert len(answers) == servicer.calls == 3
    servicer = Scripted(seconds=0.9)
    with open_channel(address_of(servicer), timeout_seconds=0.5) as channel:
        begin = time.monotonic()
        with pytest.raises(grpc.RpcError) as raised:
            RemoteModel(channel, "m").call_each("s", [{"x": np.ones(1)}] * 3, None)
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert 0.5 <= time.monotonic() - begin < 0.9


def test_a_server_that_never_answers_a_connection_costs_no_more_than_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begin = time.monotonic()
        with open_channel(f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.4) as channel:
            assert waited(channel, PATHS[0], 0)[0] == "DEADLINE_EXCEEDED"
        assert 0.4 <= time.monotonic() - begin < 0.9


def test_a_channel_with_credentials_has_the_same_deadline():
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Slow(),))
    port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
    server.start()
    credentials = grpc.local_channel_credentials()
    with open_channel(f"127.0.0.1:{port}", 0.5, credentials=credentials) as channel:
        grpc.channel_ready_future(channel).result(60)
        assert waited(channel, PATHS[0], 0.1)[0] == "OK"
        assert waited(channel, PATHS[0], 1)[0] == "DEADLINE_EXCEEDED"
    server.stop(None).wait()
