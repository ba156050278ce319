"""A logged call as arrays; what a file claims is checked before memory is taken for it."""

import collections
import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from tensorflow_serving.apis.prediction_log_pb2 import PredictLog

from features.errors import UserInputError
from features.records.requests import Arrays
from serving_signatures import names
from serving_signatures.client import messages
from serving_signatures.request_logs import log_record
from serving_signatures.request_logs.log_record import LogRecord

_Place = TypeVar("_Place")

_MOST_REPEATED = 2**22
"""Values that a call may have beyond its bytes, since a tensor may repeat its last one."""


@dataclasses.dataclass(frozen=True)
class LoggedCall:
    """A call of a signature and its response, as TF Serving or a `RequestLog` logs them.

    Attributes:
      where: for a person to find it.
      model: the name that the client called.
      signature: that was called.
      version: of the model that answered, empty where the log does not say.
      inputs: by name.
      outputs: by name; those that the client asked for.
      redacted: inputs, and features of records, that do not have the values of the request.
    """

    where: str
    model: str
    signature: str
    version: str
    inputs: Arrays
    outputs: Arrays
    redacted: frozenset[str] = frozenset()


def parsed(
    records: Iterable[tuple[_Place, bytes]], left_out: collections.Counter[str]
) -> Iterator[tuple[_Place, LogRecord]]:
    """Yields the Predict calls among records, each with its place.

    Args:
      records: bytes and their places.
      left_out: counts entries of another kind than Predict, or without a response.

    Raises:
      UserInputError: a record is no PredictionLog.
    """
    for where, data in records:
        try:
            record = log_record.decode(data)
        except ValueError as error:
            raise UserInputError(
                f"{where} is not of a request log: {error}. Give files that TF Serving's request "
                "logging or a RequestLog wrote."
            ) from error
        kind = record.log.WhichOneof("log_type")
        if kind != "predict_log":
            left_out[kind or "empty"] += 1
        elif not record.log.predict_log.response.outputs:
            left_out["without response"] += 1
        else:
            yield where, record


def call(where: object, record: LogRecord) -> LoggedCall:
    """Returns a record of a Predict call as arrays.

    Raises:
      UserInputError: a tensor cannot be read.
    """
    log = record.log.predict_log
    request, response = log.request, log.response
    version = response.model_spec.version or request.model_spec.version
    try:
        _check_size(log)
        inputs, outputs = (
            {name: messages.array(value) for name, value in tensors.items()}
            for tensors in (request.inputs, response.outputs)
        )
    except (TypeError, ValueError) as error:
        raise UserInputError(f"{where} holds a tensor that cannot be read: {error}.") from error
    return LoggedCall(
        str(where),
        request.model_spec.name,
        request.model_spec.signature_name or names.SERVING_DEFAULT,
        str(version.value or ""),
        inputs,
        outputs,
        record.redacted,
    )


def sent_records(call: LoggedCall) -> list[tuple[str, bytes]]:
    """Returns the records that were sent, with their places, if `serving_default` was called."""
    if call.signature != names.SERVING_DEFAULT:
        return []
    sent = call.inputs.get(names.EXAMPLES, np.zeros(0)).reshape(-1)
    return [
        (f"{call.where}, example {number}", data)
        for number, data in enumerate(sent.tolist())
        if isinstance(data, bytes)
    ]


def _check_size(log: PredictLog) -> None:
    """Refuses a call whose tensors claim far more values than its bytes may have."""
    tensors = (*log.request.inputs.values(), *log.response.outputs.values())
    claimed = sum(
        math.prod(max(one.size, 0) for one in tensor.tensor_shape.dim) for tensor in tensors
    )
    if claimed > log.ByteSize() + _MOST_REPEATED:
        raise ValueError(f"shapes of {claimed} values in a message of {log.ByteSize()} bytes")
