"""TF Serving's gRPC services over a `ServedModel`, answered until SIGTERM."""

import functools
import signal
import threading
import time
from collections.abc import Callable
from concurrent import futures
from contextlib import AbstractContextManager
from typing import Any

import grpc
import tensorflow as tf
from absl import logging
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from features.errors import UserInputError
from pipeline.local_serving.health import ModelHealth
from pipeline.local_serving.servable import Servable
from pipeline.local_serving.served_model import ServedModel, not_found
from pipeline.local_serving.tensor_protos import invalid
from serving_signatures.client.remote_model import CallLog

_MAX_MESSAGE_BYTES = 2**28
_MAX_DETAILS = 1024
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_SIGNATURES = "signature_def"
_PYTHON_PREFIX = "Graph execution error:\n\n"

_Method = Callable[[Any, Any, grpc.ServicerContext], Any]


def grpc_server(model: ServedModel, threads: int, log: CallLog | None = None) -> grpc.Server:
    """Returns a server that is not started yet and has no port.

    Args:
      model: what to serve.
      threads: requests that are answered at a time.
      log: is offered each call of Predict that was answered.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(threads),
        interceptors=[_ParsedInService()],
        options=[
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", -1),
            # With it a second server could take the same port and half of the requests.
            ("grpc.so_reuseport", 0),
        ],
    )
    services = _Services(model, log)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, server)
    return server


def serve(
    model: ServedModel,
    address: str,
    threads: int,
    poll_seconds: float,
    grace_seconds: float,
    log: CallLog | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> None:
    """Serves a model until SIGTERM or SIGINT, then closes it.

    Args:
      model: what to serve.
      address: `host:port` to listen on; port 0 for a free one, which is logged.
      threads: requests that are answered at a time.
      poll_seconds: how often to look for new versions.
      grace_seconds: how long requests may still take after the signal.
      log: is offered each call of Predict that was answered.
      credentials: of TLS; None for a server without.

    Raises:
      UserInputError: nothing can listen on the address.
    """
    server = grpc_server(model, threads, log)
    health = ModelHealth(model, server)
    try:
        if credentials is None:
            port = server.add_insecure_port(address)
        else:
            port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise UserInputError(
            f"Cannot listen on {address}, is another server there? Give another --port, or 0 for "
            "one that is free."
        ) from error
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    server.start()
    host = address.rpartition(":")[0]
    logging.info("Model %s on %s:%d; SIGTERM ends it", model.name, host, port)
    while not stopped.wait(poll_seconds):
        model.refresh()
        health.refresh()
    health.end()
    logging.info("Finishing the requests that have begun, then ending")
    server.stop(grace_seconds).wait()
    model.close()


def _answers(method: _Method) -> _Method:
    """Ends an RPC with the code and message of the method's error."""

    @functools.wraps(method)
    def answer(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except tf.errors.OpError as error:
            details = error.message.removeprefix(_PYTHON_PREFIX)[:_MAX_DETAILS]
            context.abort(_CODES[error.error_code], details)

    return answer


class _ParsedInService(grpc.ServerInterceptor):
    """Has the service parse a request.

    gRPC for Python never lets go of a call whose request it could not parse itself: 16 KiB each.
    """

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Returns the method's handler, for a request of bytes."""
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            # No such method; or Watch of the health service, whose few requests gRPC may parse.
            return handler

        def parse_and_answer(data: bytes, context: grpc.ServicerContext) -> Any:
            try:
                request = handler.request_deserializer(data)
            except DecodeError:
                context.abort(grpc.StatusCode.INTERNAL, "The request is not the method's message")
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            parse_and_answer, response_serializer=handler.response_serializer
        )


class _Services(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Predict, GetModelMetadata and GetModelStatus; the other methods are UNIMPLEMENTED."""

    def __init__(self, model: ServedModel, log: CallLog | None) -> None:
        self._model = model
        self._log = log

    @_answers
    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Runs a signature of the requested version, or of the newest."""
        begin = time.perf_counter()
        name = request.model_spec.signature_name
        with _requested(self._model, request) as (version, servable):
            outputs = servable.predict(name, request.inputs, list(request.output_filter))
        response = predict_pb2.PredictResponse()
        response.model_spec.name = self._model.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = (
            name or tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        )
        for output, array in outputs.items():
            response.outputs[output].CopyFrom(tf.make_tensor_proto(array))
        if self._log is not None:
            self._log.offer(request, response, time.perf_counter() - begin)
        return response

    @_answers
    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Returns the signatures of a version."""
        fields = set(request.metadata_field)
        if not fields:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        if unknown := fields - {_SIGNATURES}:
            raise invalid(f"Metadata field {min(unknown)} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = get_model_metadata_pb2.SignatureDefMap()
        with _requested(self._model, request) as (version, servable):
            for name, signature in servable.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
        response.model_spec.name = self._model.name
        response.model_spec.version.value = version
        response.metadata[_SIGNATURES].Pack(signatures)
        return response

    @_answers
    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Returns the state of one version or of all."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        name = request.model_spec.name
        states = self._model.states() if name == self._model.name else []
        wanted = "any versions"
        if request.model_spec.HasField("version"):
            version = request.model_spec.version.value
            states = [state for state in states if state.version == version]
            wanted = f"version {version}"
        if not states:
            raise tf.errors.NotFoundError(None, None, f"Could not find {wanted} of model {name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for one in states:
            status = response.model_version_status.add(version=one.version, state=one.state)
            if one.error is not None:
                status.status.error_code = one.error.error_code
                status.status.error_message = one.error.message[:_MAX_DETAILS]
        return response


def _requested(model: ServedModel, request: Any) -> AbstractContextManager[tuple[int, Servable]]:
    """Gives access to the version of a request's ModelSpec."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    if not spec.name:
        raise invalid("ModelSpec has no name specified.")
    version = spec.version.value if spec.HasField("version") else None
    label = spec.version_label if spec.HasField("version_label") else None
    if spec.name != model.name:
        raise not_found(spec.name, version)
    return model.servable(version, label)
