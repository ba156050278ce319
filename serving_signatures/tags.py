"""Cache tags: a fingerprint of exactly the variables that a function reads."""

import hashlib
from collections.abc import Sequence

import tensorflow as tf

_LAYOUT = "1"
"""Raise it when a cached output changes its meaning while the variables stay the same."""


def fingerprint(function: tf.types.experimental.ConcreteFunction) -> str:
    """Returns 16 hexadecimal digits over all that a traced function depends on.

    The variables are found in the traced graph, so none can be forgotten, and no variable that
    the function does not read can invalidate a cache of its output. Vocabularies and embedding
    sets inside the model are variables too.

    Args:
      function: traced; its variables must hold their final values.
    """
    return fingerprint_variables(_in_order_of_capture(function))


def fingerprint_variables(variables: Sequence[tf.Variable]) -> str:
    """Returns 16 hexadecimal digits over dtypes, shapes and values, in the given order."""
    digest = hashlib.sha256(_LAYOUT.encode())
    for variable in variables:
        digest.update(f"{variable.dtype.name}{variable.shape.as_list()}".encode())
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()[:16]


def _in_order_of_capture(
    function: tf.types.experimental.ConcreteFunction,
) -> list[tf.Variable]:
    """Orders a function's variables as the trace met them, which only the code decides."""
    by_handle = {id(variable.handle): variable for variable in function.variables}
    return [
        by_handle[id(captured)]
        for captured in function.captured_inputs
        if id(captured) in by_handle
    ]
