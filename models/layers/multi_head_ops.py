"""Products of tensors with an axis of heads, as plain matrix products where possible.

Why not `tf.einsum`: it transposes its operands, and its gradient does so twice more, although with
one head, the usual case, nothing has to move. With an ellipsis it becomes a batch product that
broadcasts a kernel, for which oneDNN in TensorFlow 2.16.2 returns wrong values from 31 rows on.
The axis of one head is squeezed, not sliced: the gradient of a slice is a padded copy.

Shapes: R requests, C candidates, L behaviors, D embedding width, H heads, d head width, B codes.
"""

import tensorflow as tf


def project(embedding: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Projects `[..., D]` by `[D, H, d]` to `[..., H, d]`."""
    width, heads, head_width = kernel.shape
    flat = tf.reshape(embedding, [-1, width])  # [N, D]
    rows = tf.matmul(flat, tf.reshape(kernel, [width, -1]))  # [N, H * d]
    return tf.reshape(rows, tf.concat([tf.shape(embedding)[:-1], [heads, head_width]], axis=0))


def project_each(vectors: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """Projects each head's vectors by its own kernel.

    Args:
      vectors: `[R, C, H, E]`.
      kernels: `[H, E, F]`.

    Returns:
      `[R, C, H, F]`.
    """
    heads, width, out = kernels.shape
    if heads > 1:
        return tf.einsum("rche,hef->rchf", vectors, kernels)
    shape = tf.shape(vectors)
    rows = tf.matmul(tf.reshape(vectors, [-1, width]), kernels[0])
    return tf.reshape(rows, [shape[0], shape[1], 1, out])


def pair_scores(query: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns `q . k` of every pair, `[R, C, H, d]` and `[R, L, H, d]` to `[R, C, H, L]`."""
    if key.shape[2] != 1:
        return tf.einsum("rchd,rlhd->rchl", query, key)
    scores = tf.matmul(tf.squeeze(query, 2), tf.squeeze(key, 2), transpose_b=True)
    return tf.expand_dims(scores, 2)


def pool(weights: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Sums values by weight, `[R, C, H, L]` and `[R, L, H, d]` to `[R, C, H, d]`."""
    if value.shape[2] != 1:
        return tf.einsum("rchl,rlhd->rchd", weights, value)
    pooled = tf.matmul(tf.squeeze(weights, 2), tf.squeeze(value, 2))
    return tf.expand_dims(pooled, 2)


def shared_pair_scores(query: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
    """Returns `q . e` of every pair, `[R, C, H, D]` and `[R, L, D]` to `[R, C, H, L]`."""
    shape = tf.shape(query)
    rows = tf.reshape(query, [shape[0], shape[1] * shape[2], history.shape[-1]])  # [R, C * H, D]
    scores = tf.matmul(rows, history, transpose_b=True)  # [R, C * H, L]
    return tf.reshape(scores, [shape[0], shape[1], shape[2], tf.shape(history)[1]])


def shared_pool(weights: tf.Tensor, history: tf.Tensor) -> tf.Tensor:
    """Sums by weight what all heads share, `[R, C, H, L]` and `[R, L, D]` to `[R, C, H, D]`."""
    shape = tf.shape(weights)
    rows = tf.reshape(weights, [shape[0], shape[1] * shape[2], shape[3]])  # [R, C * H, L]
    pooled = tf.matmul(rows, history)  # [R, C * H, D]
    return tf.reshape(pooled, [shape[0], shape[1], shape[2], history.shape[-1]])


def table_scores(query: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Returns `q . table[b]` for every b, `[R, C, H, d]` and `[B, H, d]` to `[R, C, H, B]`."""
    return project_each(query, tf.transpose(table, [1, 2, 0]))


def table_values(mass: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """Returns `sum_b mass[b] table[b]`, `[R, C, H, B]` and `[B, H, d]` to `[R, C, H, d]`."""
    return project_each(mass, tf.transpose(table, [1, 0, 2]))
