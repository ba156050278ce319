"""Warm-up records: TF Serving replays them when it loads a version, before any traffic."""

import os
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

FILE_NAME = "tf_serving_warmup_requests"


def write_warmup(
    saved_model: str, model_name: str, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]]
) -> int:
    """Writes one record a request into `assets.extra` and returns their number.

    Args:
      saved_model: the folder of the SavedModel.
      model_name: as in TF Serving's model configuration.
      requests: signature and its inputs; TF Serving takes at most 1000.
    """
    folder = os.path.join(saved_model, "assets.extra")
    os.makedirs(folder, exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(os.path.join(folder, FILE_NAME)) as writer:
        for signature, inputs in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
            count += 1
    return count
