"""Rows of tables, by native kernels: the optimizer's step, and the look-up of content."""

import tensorflow as tf

from kernels import library


def lazy_adam(
    tables: tuple[tf.Variable, tf.Variable, tf.Variable],
    rate: tf.Tensor,
    gradient: tf.IndexedSlices,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Updates weights and both moments of the rows that a gradient names.

    Equal to `models.training.lazy_adam` on stock ops, bit for bit.

    Args:
      tables: weights, first and second moments, `[N, ...]` float32 each.
      rate: the step size with the bias correction of both moments, scalar.
      gradient: rows `[K]` and their values `[K, ...]`; those of one row are added up.
      betas: decays of the moments.
      epsilon: added to the root of the second moment.
    """
    library.load().dmf_lazy_adam_rows(
        *[table.handle for table in tables],
        rate=rate,
        rows=tf.cast(gradient.indices, tf.int64),
        gradients=gradient.values,
        beta_1=betas[0],
        rest_1=1 - betas[0],
        beta_2=betas[1],
        rest_2=1 - betas[1],
        epsilon=epsilon,
    )


def content(
    item_ids: tf.Tensor,
    indexed: tf.Tensor,
    starts: tf.Tensor,
    longest: int,
    vectors: tf.Tensor,
    norms: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Looks items up; equal to `in_graph.indexed_positions` and two gathers.

    Args:
      item_ids: int64, any shape.
      indexed: `[N]` int64, ids in the order of the index (`features.ids.id_index`).
      starts: `[B]` int32, of the index.
      longest: of the index.
      vectors: `[N + 1, M]` int8; the last row is that of unknown ids.
      norms: `[N + 1]` float32.

    Returns:
      Vectors `[..., M]` int8 and norms `[...]` float32.
    """
    found = library.load().dmf_content_rows(
        item_ids=item_ids,
        indexed=indexed,
        starts=starts,
        vectors=vectors,
        norms=norms,
        longest=longest,
    )
    return found.quantized, found.found_norms
