"""Requests and responses as TF Serving logs them: TFRecords of PredictionLog."""

import collections
import dataclasses
from collections.abc import Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from features.errors import UserInputError
from serving_signatures import names
from serving_signatures.export.sample_requests import Arrays
from serving_signatures.skew import records


@dataclasses.dataclass(frozen=True)
class LoggedRequest:
    """A request and what was answered.

    Attributes:
      where: for a person to find it.
      signature: that was called.
      version: of the model that answered, empty where the log does not say.
      inputs: by name.
      outputs: by name; those that the request asked for.
    """

    where: str
    signature: str
    version: str
    inputs: Arrays
    outputs: Arrays


def draw(paths: Sequence[str], count: int, seed: int) -> tuple[list[LoggedRequest], dict[str, int]]:
    """Draws logged requests.

    Args:
      paths: of the files.
      count: how many entries at most.
      seed: of the choice.

    Returns:
      The requests in the order of the files, and how many entries were left out, by reason: of
      another kind than Predict, or without a response.

    Raises:
      UserInputError: a file is not readable or not such a log, or nothing is left.
    """
    found, left_out = [], collections.Counter[str]()
    for record in records.draw(paths, count, seed):
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record.data)
        except DecodeError as error:
            raise UserInputError(
                f"{record.where} is no PredictionLog: {error}. Give files that TF Serving's "
                "request logging wrote."
            ) from error
        kind = log.WhichOneof("log_type")
        if kind != "predict_log":
            left_out[kind or "empty"] += 1
        elif not log.predict_log.response.outputs:
            left_out["without response"] += 1
        else:
            found.append(_logged(record.where, log.predict_log))
    if not found:
        raise UserInputError(
            f"{list(paths)} hold no Predict request with its response: {dict(left_out)}."
        )
    return found, dict(left_out)


def _logged(where: str, log: prediction_log_pb2.PredictLog) -> LoggedRequest:
    version = log.response.model_spec.version or log.request.model_spec.version
    try:
        inputs = {name: tf.make_ndarray(value) for name, value in log.request.inputs.items()}
        outputs = {name: tf.make_ndarray(value) for name, value in log.response.outputs.items()}
    except (TypeError, ValueError) as error:
        raise UserInputError(f"{where} holds a tensor that cannot be read: {error}.") from error
    return LoggedRequest(
        where,
        log.request.model_spec.signature_name or names.SERVING_DEFAULT,
        str(version.value) if version.value else "",
        inputs,
        outputs,
    )
