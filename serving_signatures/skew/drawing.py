"""Records of a data set, and calls that TF Serving logged, drawn from files."""

import collections
import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from features.errors import UserInputError
from features.records import decoded_example
from features.records.requests import Arrays, RankingRequest
from features.schema import ExampleSchema
from serving_signatures import names


@dataclasses.dataclass(frozen=True)
class Record:
    """A record and where it is.

    Attributes:
      data: its bytes.
      where: for a person to find it.
    """

    data: bytes
    where: str


@dataclasses.dataclass(frozen=True)
class LoggedCall:
    """A call of a signature and its response, as TF Serving logs them.

    Attributes:
      where: for a person to find it.
      signature: that was called.
      version: of the model that answered, empty where the log does not say.
      inputs: by name.
      outputs: by name; those that the client asked for.
    """

    where: str
    signature: str
    version: str
    inputs: Arrays
    outputs: Arrays

    def records(self) -> list[Record]:
        """Returns the records that were sent, if `serving_default` was called."""
        if self.signature != names.SERVING_DEFAULT:
            return []
        sent = self.inputs.get(names.EXAMPLES, np.zeros(0)).reshape(-1)
        return [
            Record(bytes(data), f"{self.where}, example {number}")
            for number, data in enumerate(sent)
        ]


def draw_records(paths: Sequence[str], count: int, seed: int) -> list[Record]:
    """Draws records from TFRecord files in one pass, each as likely as any other.

    Args:
      paths: of the files.
      count: how many at most.
      seed: of the choice; the same files and seed give the same records.

    Returns:
      The records in the order of the files.

    Raises:
      UserInputError: a file is not readable, or all are empty.
    """
    rng = np.random.default_rng(seed)
    kept: list[tuple[int, Record]] = []
    seen = 0
    for path in paths:
        try:
            for number, data in enumerate(tf.data.TFRecordDataset(path).as_numpy_iterator()):
                # Reservoir sampling: record n takes a place with probability count / (n + 1).
                place = seen if seen < count else int(rng.integers(seen + 1))
                if place < count:
                    one = seen, Record(data, f"{os.path.basename(path)}, record {number}")
                    kept[place : place + 1] = [one]
                seen += 1
        except tf.errors.OpError as error:
            raise UserInputError(
                f"{path!r} cannot be read as TFRecords: {error.message}. Give uncompressed, "
                "complete files."
            ) from error
    if not kept:
        raise UserInputError(f"{list(paths)} hold no record.")
    return [record for _, record in sorted(kept, key=lambda one: one[0])]


def decode(schema: ExampleSchema, record: Record) -> RankingRequest:
    """Decodes a record.

    Raises:
      UserInputError: it does not fit the schema.
    """
    try:
        return decoded_example.decode_request(schema, record.data)
    except ValueError as error:
        raise UserInputError(
            f"{record.where} is not a record of the model's schema: {error}. Give records that "
            "were joined with the labels, embeddings and side features of the training."
        ) from error


def draw_calls(
    paths: Sequence[str], count: int, seed: int
) -> tuple[list[LoggedCall], dict[str, int]]:
    """Draws logged calls from TFRecord files of PredictionLog.

    Args:
      paths: of the files.
      count: how many entries at most.
      seed: of the choice.

    Returns:
      The calls in the order of the files, and how many entries were left out, by reason: of
      another kind than Predict, or without a response.

    Raises:
      UserInputError: a file is not readable or not such a log, or nothing is left.
    """
    found, left_out = [], collections.Counter[str]()
    for record in draw_records(paths, count, seed):
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
            found.append(_call(record.where, log.predict_log))
    if not found:
        raise UserInputError(
            f"{list(paths)} hold no Predict request with its response: {dict(left_out)}."
        )
    return found, dict(left_out)


def _call(where: str, log: prediction_log_pb2.PredictLog) -> LoggedCall:
    version = log.response.model_spec.version or log.request.model_spec.version
    try:
        inputs = {name: tf.make_ndarray(value) for name, value in log.request.inputs.items()}
        outputs = {name: tf.make_ndarray(value) for name, value in log.response.outputs.items()}
    except (TypeError, ValueError) as error:
        raise UserInputError(f"{where} holds a tensor that cannot be read: {error}.") from error
    signature = log.request.model_spec.signature_name or names.SERVING_DEFAULT
    return LoggedCall(where, signature, str(version.value or ""), inputs, outputs)
