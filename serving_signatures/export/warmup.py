"""Warm-up records: TF Serving replays them when it loads a version, before any traffic."""

import os
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from serving_signatures.versions.exported_version import EXTRAS

FILE_NAME = "tf_serving_warmup_requests"

BATCH_SIZES = (1, 2, 4, 8)
"""Allowed R where nothing else is configured."""

MAXIMUM_RECORDS = 1000
"""TF Serving does not load a model with more."""

MAXIMUM_BYTES = 128 << 20
"""Of the records of served requests; a server reads and runs them all before it serves."""


def write_warmup(
    saved_model: str, model_name: str, calls: Iterable[tuple[str, Mapping[str, np.ndarray]]]
) -> int:
    """Writes one record per call into `assets.extra` and returns their number.

    Args:
      saved_model: the folder of the SavedModel.
      model_name: as in TF Serving's model configuration.
      calls: signature and its inputs.

    Raises:
      ValueError: there are more than TF Serving takes.
    """
    calls = list(calls)
    if len(calls) > MAXIMUM_RECORDS:
        raise ValueError(
            f"{len(calls)} warm-up records, but TF Serving loads no model with more than "
            f"{MAXIMUM_RECORDS}: give fewer batch sizes."
        )
    folder = os.path.join(saved_model, EXTRAS)
    os.makedirs(folder, exist_ok=True)
    with tf.io.TFRecordWriter(os.path.join(folder, FILE_NAME)) as writer:
        for signature, inputs in calls:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
    return len(calls)
