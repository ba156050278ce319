"""One call and its answer as a PredictionLog, TensorFlow Serving's own message.

The message has no place for how long a call took and what was redacted. Both are in one more field,
number 50001, as JSON; whoever does not know it passes over it.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from tensorflow_serving.apis import prediction_log_pb2

_EXTRAS = 50_001  # Of the numbers that organizations may use among themselves.
_DELIMITED = 2
_PREDICT_LOG = prediction_log_pb2.PredictionLog.PREDICT_LOG_FIELD_NUMBER
_REQUEST = prediction_log_pb2.PredictLog.REQUEST_FIELD_NUMBER
_RESPONSE = prediction_log_pb2.PredictLog.RESPONSE_FIELD_NUMBER
_LARGEST_EXTRAS = 1 << 16


@dataclasses.dataclass(frozen=True)
class LogRecord:
    """A record of a log.

    Attributes:
      log: the message.
      seconds: from the call to its answer; None where the log does not say.
      redacted: names of inputs, and of features in records, whose values were replaced.
    """

    log: prediction_log_pb2.PredictionLog
    seconds: float | None = None
    redacted: frozenset[str] = frozenset()


def encode(
    request: bytes,
    response: Any,
    metadata: Mapping[str, float],
    seconds: float,
    redacted: frozenset[str],
) -> bytes:
    """Returns the bytes of a record; nothing is parsed or copied on the way.

    Args:
      request: a serialized PredictRequest.
      response: the PredictResponse.
      metadata: `rate` of the sampling, and `time` in seconds since 1970.
      seconds: from the call to its answer.
      redacted: as in `LogRecord`.
    """
    head = prediction_log_pb2.PredictionLog()
    head.log_metadata.sampling_config.sampling_rate = metadata["rate"]
    head.log_metadata.timestamp_secs = int(metadata["time"])
    head.log_metadata.model_spec.CopyFrom(response.model_spec)
    extras = {"microseconds": round(1e6 * seconds), "redacted": sorted(redacted)}
    call = delimited(_REQUEST, request) + delimited(_RESPONSE, response.SerializeToString())
    return b"".join(
        (
            head.SerializeToString(),
            delimited(_PREDICT_LOG, call),
            delimited(_EXTRAS, json.dumps(extras).encode()),
        )
    )


def decode(data: bytes) -> LogRecord:
    """Reads a record; its fields may hold anything.

    Raises:
      ValueError: it is no PredictionLog, or its additional field is none of `encode`.
    """
    try:
        log = prediction_log_pb2.PredictionLog.FromString(data)
    except DecodeError as error:
        raise ValueError(f"no PredictionLog: {error}") from error
    for field in UnknownFieldSet(log):
        if field.field_number == _EXTRAS and field.wire_type == _DELIMITED:
            return LogRecord(log, *_extras(field.data))
    return LogRecord(log)


def delimited(number: int, data: bytes) -> bytes:
    """Returns a field of bytes as it is in a message."""
    return b"".join((_varint(number << 3 | _DELIMITED), _varint(len(data)), data))


def _extras(data: bytes) -> tuple[float, frozenset[str]]:
    try:
        if len(data) > _LARGEST_EXTRAS:
            raise ValueError(f"{len(data)} bytes")
        values = json.loads(data)
        seconds = values["microseconds"] / 1e6
        redacted = values["redacted"]
        if not 0 <= seconds < 1e9 or not all(isinstance(name, str) for name in redacted):
            raise ValueError(f"values {values}")
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"field {_EXTRAS} is none of this project's: {error}") from error
    return seconds, frozenset(redacted)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
