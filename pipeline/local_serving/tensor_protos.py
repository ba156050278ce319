"""A request's tensors, checked against a signature and decoded.

Errors are `tf.errors.InvalidArgumentError` and name the input. TF Serving leaves dtypes and shapes
to the session, whose messages give the number of the argument at best.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

MAX_TENSOR_BYTES = 2**28
"""The largest declared tensor; a shape of a few bytes could otherwise request any memory."""

_SMALLEST_STRING = 16


def decode(specs: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Decodes the inputs of a call.

    Args:
      specs: the signature's `TensorInfo` by input.
      inputs: the request's `TensorProto` by input.

    Returns:
      An array of the signature's dtype and of a shape that fits it, by input.

    Raises:
      InvalidArgumentError: an input is missing or unknown, or does not fit the signature.
    """
    if inputs.keys() != specs.keys():
        extra, missing = inputs.keys() - specs.keys(), specs.keys() - inputs.keys()
        raise invalid(
            f"input size does not match signature: {len(inputs)}!={len(specs)}. "
            f"Sent extra: {{{','.join(sorted(extra))}}}. "
            f"Missing but required: {{{','.join(sorted(missing))}}}."
        )
    return {name: _decode(name, spec, inputs[name]) for name, spec in specs.items()}


def invalid(message: str) -> tf.errors.InvalidArgumentError:
    """Returns the error of an invalid request."""
    return tf.errors.InvalidArgumentError(None, None, message)


def _decode(name: str, spec: Any, proto: Any) -> np.ndarray:
    if proto.dtype != spec.dtype:
        raise invalid(
            f"{name}: expected {_dtype_name(spec.dtype)}, received {_dtype_name(proto.dtype)}"
        )
    shape = tf.TensorShape(spec.tensor_shape)
    received = [dimension.size for dimension in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or min(received, default=0) < 0:
        raise invalid(f"{name}: the tensor's shape is not fully known")
    if not shape.is_compatible_with(received):
        raise invalid(f"{name}: expected shape {shape}, received {received}")
    dtype = tf.dtypes.as_dtype(spec.dtype)
    size = _SMALLEST_STRING if dtype == tf.string else dtype.size
    if size * math.prod(received) > MAX_TENSOR_BYTES:
        raise invalid(f"{name}: a tensor of shape {received} is larger than {MAX_TENSOR_BYTES} B")
    try:
        # Not tf.io.parse_tensor: in TensorFlow 2.16 on Python 3.11, a tensor that Python makes
        # leaks a third of a kilobyte (tensorflow issue 68196).
        return tf.make_ndarray(proto)
    except (OverflowError, TypeError, ValueError):
        raise invalid(
            f"tensor parsing error: {name}: its values do not fit shape {received}"
        ) from None


def _dtype_name(number: int) -> str:
    try:
        return tf.dtypes.as_dtype(number).name
    except TypeError:
        return f"unknown dtype {number}"
