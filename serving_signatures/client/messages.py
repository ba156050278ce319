"""Messages of TF Serving as arrays, with their checks."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import get_model_metadata_pb2

from features.arrays import Array, DType
from features.records.requests import Arrays
from serving_signatures.client.answer_errors import UnexpectedAnswerError

_MOST_REPEATED = 2**20
"""Values that a tensor may have beyond the bytes of its message, by repeating its last one."""


@dataclasses.dataclass(frozen=True)
class Output:
    """What a signature says of one of its outputs.

    Attributes:
      dtype: of its values.
      shape: -1 where any number may stand; None for any shape.
    """

    dtype: DType
    shape: tuple[int, ...] | None

    def takes(self, values: Array) -> bool:
        """Whether an array is one of this output, with any first dimension."""
        if self.shape is None or values.dtype != self.dtype or values.ndim != len(self.shape):
            return values.dtype == self.dtype and self.shape is None
        sizes = zip(self.shape[1:], values.shape[1:], strict=True)
        return all(size in (-1, received) for size, received in sizes)


@dataclasses.dataclass(frozen=True)
class Signature:
    """Dtypes of inputs, and outputs, by name."""

    inputs: Mapping[str, DType]
    outputs: Mapping[str, Output]


def signatures(response: Any) -> dict[str, Signature]:
    """Returns the signatures of an answer of GetModelMetadata.

    Raises:
      UnexpectedAnswerError: it has none that can be read.
    """
    packed = get_model_metadata_pb2.SignatureDefMap()
    try:
        is_map = response.metadata["signature_def"].Unpack(packed)
        found = {name: _signature(one) for name, one in packed.signature_def.items()}
    except (DecodeError, TypeError, ValueError) as error:
        raise UnexpectedAnswerError(
            f"The model's metadata cannot be read: {error}. Is another service at this address?"
        ) from error
    if not is_map or not found:
        raise UnexpectedAnswerError(
            "The model's metadata has no signatures. Is another service at this address?"
        )
    return found


def outputs(response: Any, signature: str) -> Arrays:
    """Returns the outputs of an answer of Predict.

    Args:
      response: the answer.
      signature: what was called.

    Raises:
      UnexpectedAnswerError: an output cannot be read.
    """
    values = {}
    for name, proto in response.outputs.items():
        try:
            values[name] = array(proto)
        except (TypeError, ValueError) as error:
            raise UnexpectedAnswerError(
                f"{signature}: output {name} cannot be read: {error}."
            ) from error
    return values


def array(proto: Any) -> Array:
    """Returns the values of a TensorProto of any origin.

    Raises:
      TypeError or ValueError: it cannot be read, or claims more values than its bytes may have.
    """
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if min(shape, default=0) < 0 or math.prod(shape) > proto.ByteSize() + _MOST_REPEATED:
        raise ValueError(f"shape {shape} in a message of {proto.ByteSize()} bytes")
    try:
        values: Array = tf.make_ndarray(proto)
    except OverflowError as error:
        raise ValueError(str(error)) from error
    return values


def _signature(signature: Any) -> Signature:
    return Signature(
        {name: _dtype(info) for name, info in signature.inputs.items()},
        {
            name: Output(_dtype(info), _shape(info.tensor_shape))
            for name, info in signature.outputs.items()
            if info.dtype  # The operation that initializes a SavedModel has none.
        },
    )


def _shape(proto: Any) -> tuple[int, ...] | None:
    return None if proto.unknown_rank else tuple(one.size for one in proto.dim)


def _dtype(info: Any) -> DType:
    return np.dtype(tf.dtypes.as_dtype(info.dtype).as_numpy_dtype)
