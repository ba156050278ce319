"""One loaded version of a model."""

import glob
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from features.records import record_files
from pipeline.local_serving import tensor_protos
from serving_signatures.export import warmup
from serving_signatures.versions.exported_version import EXTRAS, check_files, load_ops

_CALLABLE = (
    "tensorflow/serving/predict",
    "tensorflow/serving/classify",
    "tensorflow/serving/regress",
)


class Servable:
    """A SavedModel in a session, as TF Serving runs it; safe to call from many threads.

    Loading replays the warm-up records, so that the first request is not slower than others.

    Args:
      folder: of the SavedModel.

    Attributes:
      signatures: `SignatureDef` by name.

    Raises:
      UserInputError: a file is not the one that was exported.
      OSError: there is no SavedModel.
      tf.errors.OpError: it cannot be loaded or run.
    """

    def __init__(self, folder: str) -> None:
        check_files(folder)
        load_ops(folder)
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        self.signatures = _load(self._session, folder)
        graph.finalize()
        records = glob.glob(os.path.join(glob.escape(folder), EXTRAS, warmup.FILE_NAME))
        for record in record_files.read_all(records).as_numpy_iterator():
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            self.predict(request.model_spec.signature_name, request.inputs)

    def predict(
        self, signature_name: str, inputs: Mapping[str, Any], output_filter: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
          signature_name: empty for `serving_default`.
          inputs: `TensorProto` by input.
          output_filter: names of outputs to compute; empty for all.

        Returns:
          Arrays by output.

        Raises:
          tf.errors.OpError: InvalidArgumentError for inputs and outputs that do not fit the
            signature or that the graph refuses, FailedPreconditionError for an unknown
            signature.
        """
        signature = self._signature(
            signature_name or tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        )
        arrays = tensor_protos.decode(signature.inputs, inputs)
        fetches = {name: signature.outputs[name].name for name in _wanted(signature, output_filter)}
        feeds = {signature.inputs[name].name: array for name, array in arrays.items()}
        try:
            return self._session.run(fetches, feeds)
        except UnicodeDecodeError as error:
            # The message quotes bytes of the request.
            raise tensor_protos.invalid(error.object.decode(errors="replace")) from None

    def close(self) -> None:
        """Frees the model's memory; no call may follow."""
        self._session.close()

    def _signature(self, name: str) -> Any:
        signature = self.signatures.get(name)
        if signature is None:
            raise tf.errors.FailedPreconditionError(
                None, None, f'Serving signature key "{name}" not found.'
            )
        if signature.method_name not in _CALLABLE:
            raise tf.errors.InternalError(
                None,
                None,
                "Expected prediction signature method_name to be one of "
                f"{{{', '.join(_CALLABLE)}}}. Was: {signature.method_name}",
            )
        return signature


def _load(session: tf.compat.v1.Session, folder: str) -> dict[str, Any]:
    """Loads a SavedModel without TensorFlow's warning about the deprecated function."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], folder)
    finally:
        logger.setLevel(level)
    return dict(loaded.signature_def)


def _wanted(signature: Any, output_filter: Sequence[str]) -> list[str]:
    for name in output_filter:
        if name not in signature.outputs:
            raise tensor_protos.invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in "
                f"the set {{{','.join(sorted(signature.outputs))}}}."
            )
    if len(set(output_filter)) != len(output_filter):
        repeated = next(name for name in output_filter if output_filter.count(name) > 1)
        raise tensor_protos.invalid(f"duplicate output tensor alias: {repeated}")
    return list(output_filter) or list(signature.outputs)
