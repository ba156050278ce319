"""Cache tags: a fingerprint of exactly the variables that a function reads."""

import hashlib

import tensorflow as tf

_LAYOUT = "1"
"""Raise it when a cached output changes its meaning while the variables stay the same."""


def fingerprint(function: tf.types.experimental.ConcreteFunction) -> str:
    """Returns 16 hexadecimal digits, a hash of all that a traced function depends on.

    The variables are found in the traced graph, so that none is forgotten and a variable that the
    function does not read never invalidates a cache of its output. Vocabularies and embedding
    sets inside the model are variables too.

    Args:
      function: traced; its variables must hold their final values.

    Raises:
      ValueError: it reads a resource that is not a variable, such as a hash table.
    """
    digest = hashlib.sha256(_LAYOUT.encode())
    for value in in_order_of_capture(function):
        digest.update(f"{value.dtype.name}{value.shape.as_list()}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:16]


def in_order_of_capture(
    function: tf.types.experimental.ConcreteFunction,
) -> list[tf.Variable | tf.Tensor]:
    """Returns what a function reads, in the order of its trace, which only the code decides.

    The function's own list of variables comes in another order in each process.
    """
    by_handle = {id(variable.handle): variable for variable in function.variables}
    read = []
    for captured in function.captured_inputs:
        value = by_handle.get(id(captured), captured)
        if value is captured and captured.dtype == tf.resource:
            raise ValueError(
                f"{function.name} reads a resource that is no variable, whose content no tag can "
                "cover. Keep the values in variables."
            )
        read.append(value)
    return read
