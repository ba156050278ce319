"""A `SmallModel` behind a real gRPC server, without TensorFlow's graphs; it can be slow."""

import contextlib
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from features.records.requests import PaddedSizes
from serving_signatures import names
from serving_signatures.client.channel import open_channel
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from tests.serving_signatures.client.small_model import SmallModel, request

SIZES = PaddedSizes(candidates=(4, 8), behaviors=(4,))
REQUESTS = [request([1, 2, 3], [4, 5])]


class Served(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers as the model, each call after `seconds`; `codes` fail as many calls of Predict.

    Attributes:
      address: with its port.
      calls: what was called, by signature or `metadata`.
    """

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.codes = []
        self.calls = []
        self._model = SmallModel()
        self._server = grpc.server(futures.ThreadPoolExecutor(16))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self):
        self._server.stop(None).wait()

    def Predict(self, request, context):  # noqa: N802
        signature = request.model_spec.signature_name
        self.calls.append(signature)
        time.sleep(self.seconds)
        if self.codes:
            context.abort(self.codes.pop(0), "on purpose")
        inputs = {name: tf.make_ndarray(one) for name, one in request.inputs.items()}
        answer = self._model.call(signature, inputs)
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = answer.version
        for name, one in answer.outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(one))
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        self.calls.append("metadata")
        time.sleep(self.seconds)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, inputs in self._model.signatures().items():
            signature = signatures.signature_def[name]
            for key, dtype in inputs.items():
                signature.inputs[key].dtype = tf.as_dtype(dtype).as_datatype_enum
            if name in names.CACHES:
                for key, one in self._model.outputs(name).items():
                    info = signature.outputs[key]
                    info.dtype = tf.as_dtype(one.dtype).as_datatype_enum
                    info.tensor_shape.CopyFrom(tf.TensorShape([None, *one.shape[1:]]).as_proto())
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = 1
        response.metadata["signature_def"].Pack(signatures)
        return response


@contextlib.contextmanager
def served(count=1) -> Iterator[list[Served]]:
    """Runs servers."""
    servers = [Served() for _ in range(count)]
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()


@contextlib.contextmanager
def client_of(servers, hedging=None, channel_seconds=60.0, **options) -> Iterator[RankingClient]:
    """A client of servers."""
    addresses = [server.address for server in servers]
    with open_channel(addresses, timeout_seconds=channel_seconds) as channel:
        model = RemoteModel(channel, "m", hedging=hedging)
        yield RankingClient(model, sizes=SIZES, **options)


def expected(requests=REQUESTS):
    """The scores that the model in this process gives."""
    scored = RankingClient(SmallModel(), sizes=SIZES).score_request(requests)
    return scored.probabilities["click"]


def assert_scored(scored, signature):
    """Compares scores of `REQUESTS` with the model's."""
    assert scored.signature == signature
    for one, other in zip(scored.probabilities["click"], expected(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)
