"""Sums and values over the replicas that take a training step together."""

import tensorflow as tf


def count() -> int:
    """Returns the number of replicas of the current strategy."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def total(value: tf.Tensor) -> tf.Tensor:
    """Returns the sum of a scalar over all replicas; to be called within a step."""
    if count() == 1:
        return value
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def gathered(values: tf.Tensor) -> tf.Tensor:
    """Returns the values of all replicas, each `[N]` with an N of its own, one after another."""
    if count() == 1:
        return values
    return tf.distribute.get_replica_context().all_gather(values, axis=0)
