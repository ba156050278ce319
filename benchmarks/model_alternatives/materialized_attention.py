"""The attention as open implementations write it: keys and values of every pair, built."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from models.dmf import DMF
from models.inputs.behaviors import Behaviors
from models.layers import masking
from models.layers.attention.decoupled_attention import DecoupledTargetAttention


class MaterializedTargetAttention(DecoupledTargetAttention):
    """`DecoupledTargetAttention` by way of `[R, C, L, d]`: equal variables, equal output.

    Bucket keys and values are looked up for every pair of candidate and behavior and added to
    the behavior's own; scores and interest are sums over that tensor. One head, arguments as of
    the parent.
    """

    def __init__(
        self,
        bucket_edges: Mapping[str, Sequence[float]],
        head_width: int = 32,
        behavior_types: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(bucket_edges, 1, head_width, behavior_types, **kwargs)

    def call(
        self,
        candidates: tf.Tensor,
        history: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Returns each candidate's interest vector, `[R, C, d]`; arguments as of the parent."""
        query = self.project_query(candidates)[:, :, 0]  # [R, C, d]
        key, value = self.project_history(history)  # [R, L, 1, d]
        own = self._behavior_code(behaviors)
        key += tf.gather(self._behavior_keys(), own)
        value += tf.gather(self._behavior_values(), own)
        pair_key, pair_value = key[:, None, :, 0], value[:, None, :, 0]
        types = tf.cast(behaviors.type, tf.int32)
        gap = tf.gather_nd(self._gap_bias, tf.stack([types, behaviors.gap_bucket()], -1))
        bias = gap[:, None, :, 0]  # [R, 1, L]
        for name, bucket_of_code in self._bucket_of_code.items():
            bucket = bucket_of_code(codes[name])  # [R, C, L]
            pair_key += tf.gather(self._bucket_keys[name][:, 0], bucket)  # [R, C, L, d]
            pair_value += tf.gather(self._bucket_values[name][:, 0], bucket)
            by_pair = tf.broadcast_to(types[:, None], tf.shape(bucket))
            terms = tf.gather_nd(self._bucket_biases[name], tf.stack([by_pair, bucket], -1))
            bias += terms[..., 0]
        scores = tf.reduce_sum(query[:, :, None] * pair_key, axis=-1)
        scores = scores * query.shape[-1] ** -0.5 + bias
        weights = masking.masked_softmax(scores[:, :, None], behaviors.mask)[:, :, 0]
        interest = tf.reduce_sum(weights[..., None] * pair_value, axis=2)
        return masking.zero_empty(interest[:, :, None], behaviors.mask)[:, :, 0]


class MaterializedDMF(DMF):
    """`DMF` with that attention; everything else, and every variable, is the same.

    One head, and records without running statistics.
    """

    def target_attention(self, modalities: Sequence[str] = ()) -> MaterializedTargetAttention:
        """Returns a new attention that builds keys and values of every pair."""
        return MaterializedTargetAttention(
            dict.fromkeys(modalities, self.config.attention_edges),
            self.config.head_width,
            self.schema.behavior_types,
            name="attention",
        )
