"""Early fusion: similarity is concatenated to the behavior before the projection."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from features import in_graph
from models.inputs.behaviors import RESIDUAL_BUCKETS, TIME_GAP_EDGES, Behaviors
from models.layers import masking


class EarlyFusionAttention(keras.layers.Layer):
    """Attention over behaviors `[e_i ; S[b_{c,i}] ; G[gap_i] ; Y[type_i]]`, built per candidate.

    The cost baseline: the concatenation has the shape `[R, C, L, D + ...]`, because the bucket
    of the similarity depends on the candidate. Its projections are linear, so it equals a
    `DecoupledTargetAttention` with `T_K = S W_K'` and without the biases by type: it is an accuracy
    twin too. With residuals, their embedding is concatenated as well.

    Shapes: R requests, C candidates, L behaviors, D embedding width, H heads, d head width.

    Args:
      bucket_edges: ascending inner edges in (-1, 1) by modality.
      heads: H.
      head_width: d.
      behavior_types: number of values that `Behaviors.type` takes.
      residuals: whether behaviors have residuals.
      side_width: width of the embedding of a bucket, a time gap or a type.
    """

    def __init__(
        self,
        bucket_edges: Mapping[str, Sequence[float]],
        heads: int = 1,
        head_width: int = 32,
        behavior_types: int = 1,
        side_width: int = 8,
        residuals: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._bucket_edges = {name: tuple(edges) for name, edges in bucket_edges.items()}
        self._bucket_of_code = {
            name: in_graph.BucketOfCode(edges) for name, edges in self._bucket_edges.items()
        }
        self._heads = heads
        self._head_width = head_width
        self._behavior_types = behavior_types
        self._side_width = side_width
        self._residuals = residuals
        width = heads * head_width
        self._query = keras.layers.Dense(
            width, bias_initializer=keras.initializers.RandomNormal(stddev=1.0), name="query"
        )
        self._key = keras.layers.Dense(width, use_bias=False, name="key")
        self._value = keras.layers.Dense(width, use_bias=False, name="value")

    def build(self, candidates_shape: tf.TensorShape) -> None:
        """Creates the tables of buckets, time gaps and types."""
        self._buckets = {
            name: self._table(f"buckets_{name}", len(edges) + 2)
            for name, edges in self._bucket_edges.items()
        }
        self._gaps = self._table("gaps", len(TIME_GAP_EDGES) + 1)
        self._types = self._table("types", self._behavior_types)
        if self._residuals:
            rows = self._behavior_types * RESIDUAL_BUCKETS
            self._residual_table = self._table("residuals", rows)
        super().build(candidates_shape)

    def call(
        self,
        candidates: tf.Tensor,
        history: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Returns each candidate's interest vector.

        Args:
          candidates: `[R, C, D]`.
          history: `[R, L, D]`.
          codes: `[R, C, L]` uint8 by modality.
          behaviors: mask, time gap and type.

        Returns:
          `[R, C, H * d]`.
        """
        fused = self._fuse(candidates, history, codes, behaviors)  # [R, C, L, D + ...]
        query = self._split(self._query(candidates))  # [R, C, H, d]
        key = self._split(self._key(fused))  # [R, C, L, H, d]
        value = self._split(self._value(fused))
        scores = tf.einsum("rchd,rclhd->rchl", query, key) * self._head_width**-0.5  # [R, C, H, L]
        weights = masking.masked_softmax(scores, behaviors.mask)
        interest = tf.einsum("rchl,rclhd->rchd", weights, value)  # [R, C, H, d]
        interest = masking.zero_empty(interest, behaviors.mask)
        shape = tf.shape(interest)
        return tf.reshape(interest, [shape[0], shape[1], self._heads * self._head_width])

    def bucket_variables(self) -> list[tf.Variable]:
        """Returns the bucket tables."""
        return list(self._buckets.values())

    def _fuse(
        self,
        candidates: tf.Tensor,
        history: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Returns each pair's behavior with its side information, `[R, C, L, D + ...]`."""
        own = [
            history,
            tf.gather(self._gaps, behaviors.gap_bucket()),
            tf.gather(self._types, behaviors.type),
        ]
        if self._residuals:
            own.append(tf.gather(self._residual_table, behaviors.residual_bucket()))
        behavior = tf.concat(own, axis=-1)  # [R, L, D + 2 * side_width], 3 with residuals
        shape = tf.shape(behavior)
        repeated = tf.broadcast_to(  # [R, C, L, ...]
            behavior[:, None], [shape[0], tf.shape(candidates)[1], shape[1], behavior.shape[-1]]
        )
        parts = [repeated]
        for modality, table in self._buckets.items():
            bucket = self._bucket_of_code[modality](codes[modality])
            parts.append(tf.gather(table, bucket))  # [R, C, L, side_width]
        return tf.concat(parts, axis=-1)

    def _split(self, tensor: tf.Tensor) -> tf.Tensor:
        """Splits the last axis, `[..., H * d]` to `[..., H, d]`."""
        shape = tf.concat([tf.shape(tensor)[:-1], [self._heads, self._head_width]], axis=0)
        return tf.reshape(tensor, shape)

    def _table(self, name: str, rows: int) -> tf.Variable:
        return self.add_weight(
            name,
            (rows, self._side_width),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
        )
