"""A model behind TF Serving's gRPC API: signatures called with arrays."""

import dataclasses
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from features.arrays import Array, DType
from features.records.requests import Arrays
from serving_signatures.client import deadlines, messages
from serving_signatures.client.counts import Durations, Histogram, Timed
from serving_signatures.client.hedging import Hedging
from serving_signatures.client.messages import Output, Signature

_VERSIONS_REMEMBERED = 8
_CALLS_AT_A_TIME = 16
_SERVERS_ASKED = 3


@dataclasses.dataclass(frozen=True)
class Answer:
    """Outputs of a signature, and the version that computed them."""

    outputs: Arrays
    version: int


class CallLog(Protocol):
    """Takes calls and their answers; `serving_signatures.request_logs` has one that writes them."""

    def offer(self, request: Any, response: Any, seconds: float) -> None:
        """Takes a call, or leaves it. It raises nothing, and nothing waits for it."""

    def counts(self) -> Mapping[str, int]:
        """Returns what became of the calls, by name."""


class RemoteModel:
    """Calls signatures of one model; safe to use from many threads.

    Args:
      channel: to the server; `open_channel` opens one whose calls have a deadline.
      name: the model's.
      label: version label for calls that pin no version; None for the newest version.
      hedging: sends late calls of signatures a second time; None for never.
    """

    def __init__(
        self,
        channel: grpc.Channel,
        name: str,
        label: str | None = None,
        hedging: Hedging | None = None,
    ) -> None:
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self._name = name
        self._label = label
        self._hedging = hedging
        self._durations = Durations()
        self._lock = threading.Lock()
        self._signatures: OrderedDict[int, dict[str, Signature]] = OrderedDict()
        self._current: int | None = None

    def counts(self) -> dict[str, int]:
        """Returns what `hedging` counts; nothing without it."""
        return {} if self._hedging is None else self._hedging.counts()

    def durations(self) -> Mapping[tuple[str, str], Histogram]:
        """Returns the durations of calls so far, by signature and status code.

        A call of `call_each` lasts until its answer is taken, after those of the calls before it.
        """
        return self._durations.to_dict()

    def signatures(self, version: int | None = None) -> Mapping[str, Mapping[str, DType]]:
        """Returns the inputs of each signature with their dtypes.

        Args:
          version: which; None for the one that answered last.

        Raises:
          grpc.RpcError: the server does not answer, or not as a model's server.
        """
        return {name: one.inputs for name, one in self._described(version).items()}

    def outputs(self, signature: str, version: int | None = None) -> Mapping[str, Output]:
        """Returns what a signature says of its outputs, as `signatures`; none if it is not there.

        Args:
          signature: its name.
          version: which; None for the one that answered last.
        """
        one = self._described(version).get(signature)
        return {} if one is None else one.outputs

    def call(
        self,
        signature: str,
        inputs: Mapping[str, Array],
        version: int | None = None,
        log: CallLog | None = None,
    ) -> Answer:
        """Calls a signature.

        Args:
          signature: its name.
          inputs: arrays by input.
          version: the version that has to answer; None for any.
          log: is offered the call and its answer.

        Raises:
          grpc.RpcError: the server refuses, does not answer in time, or answers what it cannot.
        """
        request = self._request(signature, inputs, version)
        try:
            begin = time.perf_counter()
            with Timed(self._durations, signature, begin):
                response = self._predict(request)
            seconds = time.perf_counter() - begin
            answer = _answer(response, signature)
        except grpc.RpcError:
            # A new version may take other inputs than those that this client knows.
            if version is None:
                self._set_current(None)
            raise
        if version is None:
            self._set_current(answer.version)
        if log is not None:
            log.offer(request, response, seconds)
        return answer

    def call_each(
        self, signature: str, inputs: Sequence[Mapping[str, Array]], version: int | None
    ) -> list[Answer]:
        """Calls a signature many times, up to 16 at a time, all on one version.

        Args:
          signature: its name.
          inputs: of each call; at least one.
          version: the version that has to answer; None for the one that answers first.

        Raises:
          grpc.RpcError: the server refuses, does not answer in time, or answers what it cannot.
        """
        answers = [self.call(signature, inputs[0], version)]
        version = answers[0].version
        for start in range(1, len(inputs), _CALLS_AT_A_TIME):
            begin = time.perf_counter()
            calls = [
                self._sent(self._request(signature, one, version))
                for one in inputs[start : start + _CALLS_AT_A_TIME]
            ]
            for call in calls:
                with Timed(self._durations, signature, begin):
                    response = call.result()
                answers.append(_answer(response, signature))
        return answers

    def _predict(self, request: Any) -> Any:
        if self._hedging is None:
            # Without a future's thread in between.
            return self._stub.Predict(request, timeout=deadlines.left())
        return self._sent(request).result()

    def _sent(self, request: Any) -> Any:
        """Sends a call, whose `result` waits for the answer."""

        def send() -> Any:
            return self._stub.Predict.future(request, timeout=deadlines.left())

        return send() if self._hedging is None else self._hedging.sent(send)

    def _described(self, version: int | None) -> Mapping[str, Signature]:
        with self._lock:
            wanted = self._current if version is None else version
            if wanted is not None and wanted in self._signatures:
                return self._signatures[wanted]
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._spec(version), metadata_field=["signature_def"]
        )
        # Servers of a rollout take turns. If one of them scored all and the other said each time
        # what it takes, its version would be asked for before every request.
        for _ in range(_SERVERS_ASKED):
            response = self._stub.GetModelMetadata(request, timeout=deadlines.left())
            found, described = messages.signatures(response), response.model_spec.version.value
            with self._lock:
                self._signatures[described] = found
                while len(self._signatures) > _VERSIONS_REMEMBERED:
                    self._signatures.popitem(last=False)
                if version is None:
                    self._current = described
            if wanted in (None, described):
                break
        return found

    def _set_current(self, version: int | None) -> None:
        with self._lock:
            self._current = version

    def _request(self, signature: str, inputs: Mapping[str, Array], version: int | None) -> Any:
        request = predict_pb2.PredictRequest(model_spec=self._spec(version))
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        return request

    def _spec(self, version: int | None) -> Any:
        spec = model_pb2.ModelSpec(name=self._name)
        if version is not None:
            spec.version.value = version
        elif self._label is not None:
            spec.version_label = self._label
        return spec


def _answer(response: Any, signature: str) -> Answer:
    return Answer(messages.outputs(response, signature), response.model_spec.version.value)
