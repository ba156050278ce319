"""Decoupled target attention: similarity as side information, keys and values per item."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import tensorflow as tf
import tf_keras as keras

from features import in_graph
from kernels.pairs import Weights
from models.inputs.behaviors import RESIDUAL_BUCKETS, TIME_GAP_EDGES, Behaviors, rows_by_code
from models.layers import masking, multi_head_ops
from models.layers.attention.similarity_softmax import (
    BehaviorTerms,
    Similarity,
    similarity_softmax,
)

_GAPS = len(TIME_GAP_EDGES) + 1


class DecoupledTargetAttention(keras.layers.Layer):
    """Attention from candidates to behaviors with similarity as side information.

    Shapes: R requests, C candidates, L behaviors, D embedding width, H heads, d head width,
    B buckets, Y behavior types; m counts modalities.

    With `q = W_Q e_c + b_Q`, `K = W_K e_i`, `V = W_V e_i`, and b the bucket of the similarity of
    candidate and behavior in a modality:

        score = (q . (K + G_K[gap] + Y_K[type] + Z_K[type, z]) + sum_m q . T_K[b]) / sqrt(d)
                + gamma[type, gap] + sum_m beta[type, b]
        a     = softmax(score) over the behaviors that are not padding
        u     = sum_i a_i (V_i + G_V[gap_i] + Y_V[type_i] + Z_V[type_i, z_i])
                + sum_m sum_b (sum_{i in b} a_i) T_V[b]

    Here z is the bucket of the behavior's residual, its distance from its item's mean; the terms
    in z are left out where records have no residuals. `W_K e_i` and `W_V e_i` depend on the item
    alone, so they can be cached per item, and no tensor of shape `[C, L, d]` is built. An empty
    history gives zeros.

    `beta[type, b]` gives similar items that were disliked another weight than those that were
    liked, and `gamma[type, gap]` learns how fast each type ages. Both are scalars per pair, so
    they cost one more gather per modality and one addition.

    The query bias is drawn from N(0, 1); beta and gamma start at zero. With a small query bias,
    `q . T_K` is a product of two near-zero factors: a saddle that one epoch does not leave
    (docs/design.md, "The saddle point of the bucket tables"). The bucket tables need twice the
    learning rate of the other weights.

    Example:
      >>> attention = DecoupledTargetAttention({"text": (-0.5, 0.0, 0.5)}, head_width=8)
      >>> behaviors = Behaviors(
      ...     tf.ones([2, 5], tf.bool), tf.zeros([2, 5], tf.int64), tf.zeros([2, 5], tf.int64)
      ... )
      >>> codes = {"text": tf.zeros([2, 3, 5], tf.uint8)}
      >>> attention(tf.ones([2, 3, 4]), tf.ones([2, 5, 4]), codes, behaviors).shape
      TensorShape([2, 3, 8])

    Args:
      bucket_edges: ascending inner edges in (-1, 1) by modality; `len(edges) + 1` buckets.
        Empty for attention on ids alone.
      heads: H.
      head_width: d.
      behavior_types: Y, the number of values that `Behaviors.type` takes.
      residuals: whether behaviors have residuals.
      form: `shared` projects the history once for all candidates; `absorbed` moves the
        projections to the candidate's side, cheaper for one candidate; `auto` takes
        `absorbed` where C is known to be 1. All agree to float rounding.
    """

    def __init__(
        self,
        bucket_edges: Mapping[str, Sequence[float]],
        heads: int = 1,
        head_width: int = 32,
        behavior_types: int = 1,
        residuals: bool = False,
        form: Literal["auto", "shared", "absorbed"] = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (
            ("heads", heads),
            ("head_width", head_width),
            ("behavior_types", behavior_types),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, received {value}.")
        if form not in ("auto", "shared", "absorbed"):
            raise ValueError(f"form must be auto, shared or absorbed, received {form!r}.")
        self._bucket_edges = {name: tuple(edges) for name, edges in bucket_edges.items()}
        self._bucket_of_code = {
            name: in_graph.BucketOfCode(edges) for name, edges in self._bucket_edges.items()
        }
        self._heads = heads
        self._head_width = head_width
        self._behavior_types = behavior_types
        self._residuals = residuals
        self._form = form

    def build(self, candidates_shape: tf.TensorShape) -> None:
        """Creates the projections and the tables."""
        width = candidates_shape[-1]
        per_head = (self._heads, self._head_width)
        self._query_kernel = self._projection("query_kernel", width)
        self._query_bias = self.add_weight(
            "query_bias", per_head, initializer=keras.initializers.RandomNormal(stddev=1.0)
        )
        self._key_kernel = self._projection("key_kernel", width)
        self._value_kernel = self._projection("value_kernel", width)
        self._gap_keys = self._table("gap_keys", _GAPS)
        self._gap_values = self._table("gap_values", _GAPS)
        self._type_keys = self._table("type_keys", self._behavior_types)
        self._type_values = self._table("type_values", self._behavior_types)
        if self._residuals:
            rows = self._behavior_types * RESIDUAL_BUCKETS
            self._residual_keys = self._table("residual_keys", rows)
            self._residual_values = self._table("residual_values", rows)
        self._gap_bias = self._bias("gap_bias", _GAPS)
        self._bucket_keys = {}
        self._bucket_values = {}
        self._bucket_biases = {}
        for modality, edges in self._bucket_edges.items():
            buckets = len(edges) + 2
            self._bucket_keys[modality] = self._table(f"bucket_keys_{modality}", buckets)
            self._bucket_values[modality] = self._table(f"bucket_values_{modality}", buckets)
            self._bucket_biases[modality] = self._bias(f"bucket_bias_{modality}", buckets)
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
          codes: `[R, C, L]` uint8 similarity codes by modality.
          behaviors: mask, time gap and type.

        Returns:
          `[R, C, H * d]`.
        """
        query = self.project_query(candidates)  # [R, C, H, d]
        if self._form == "absorbed" or (self._form == "auto" and candidates.shape[1] == 1):
            return self._attend_absorbed(query, history, codes, behaviors)
        key, value = self.project_history(history)  # [R, L, H, d] each
        return self.attend(query, key, value, codes, behaviors)

    def project_query(self, embedding: tf.Tensor, rest: bool = False) -> tf.Tensor:
        """Projects candidates, `[..., D]` to `[..., H, d]`.

        A projection is linear, so it may be given in two parts that are added: of the first
        coordinates, and of the `rest`. Likewise with `project_history`.

        Args:
          embedding: all coordinates, or one part of them.
          rest: whether they are the last ones; the bias belongs to the first part.
        """
        kernel = _rows(self._query_kernel, embedding.shape[-1], rest)
        projected = multi_head_ops.project(embedding, kernel)
        return projected if rest else projected + self._query_bias

    def project_history(
        self, embedding: tf.Tensor, rest: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Projects behaviors' items, `[..., D]` to keys and values `[..., H, d]`."""
        kernels = self._key_kernel, self._value_kernel
        key, value = (
            multi_head_ops.project(embedding, _rows(one, embedding.shape[-1], rest))
            for one in kernels
        )
        return key, value

    def attend(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        value: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Attends from projected candidates to projected behaviors.

        Args:
          query: `[R, C, H, d]`.
          key: `[R, L, H, d]`.
          value: `[R, L, H, d]`.
          codes: `[R, C, L]` uint8 by modality.
          behaviors: mask, time gap and type.

        Returns:
          `[R, C, H * d]`.
        """
        value += tf.gather(self._behavior_values(), self._behavior_code(behaviors))
        attention = self._attention(query, key, codes, behaviors)
        interest = multi_head_ops.pool(attention.weights, value)  # [R, C, H, d]
        return self._finish(interest, attention.by_bucket, behaviors)

    def attention_weights(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Returns the attention weights, `[R, C, H, L]`; for the arguments see `attend`."""
        return self._attention(query, key, codes, behaviors).weights

    def bucket_variables(self) -> list[tf.Variable]:
        """Returns the bucket tables and the biases, which have a learning rate of their own."""
        tables = (self._bucket_keys, self._bucket_values, self._bucket_biases)
        by_modality = [variable for table in tables for variable in table.values()]
        return [*by_modality, self._gap_bias]

    def bucket_bias(self, modality: str) -> tf.Variable:
        """Returns the bias by behavior type and bucket, `[Y, B, H]` with `B = len(edges) + 2`."""
        return self._bucket_biases[modality]

    def _attend_absorbed(
        self,
        query: tf.Tensor,
        history: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Attends with `q . W_K e_i = (W_K^T q) . e_i`: no projection of the history."""
        code = self._behavior_code(behaviors)
        query = self._scaled(query)
        # W_K moves to the query: one product per candidate instead of one per behavior.
        key_kernel = tf.transpose(self._key_kernel, [1, 2, 0])  # [H, d, D]
        absorbed = multi_head_ops.project_each(query, key_kernel)  # [R, C, H, D]
        scores = multi_head_ops.shared_pair_scores(absorbed, history)  # [R, C, H, L]
        by_code = multi_head_ops.table_scores(query, self._behavior_keys())  # [R, C, H, codes]
        added = BehaviorTerms(code, by_code)
        attention = self._weights(scores, query, codes, behaviors, added)
        # sum_i a_i W_V e_i = W_V sum_i a_i e_i: W_V moves behind the sum likewise.
        pooled = multi_head_ops.shared_pool(attention.weights, history)  # [R, C, H, D]
        value_kernel = tf.transpose(self._value_kernel, [1, 0, 2])  # [H, D, d]
        interest = multi_head_ops.project_each(pooled, value_kernel)  # [R, C, H, d]
        interest += multi_head_ops.table_values(attention.by_code, self._behavior_values())
        return self._finish(interest, attention.by_bucket, behaviors)

    def _behavior_keys(self) -> tf.Tensor:
        """Returns the terms added to behaviors' keys, by `_behavior_code`, `[codes, H, d]`."""
        residuals = self._residual_keys if self._residuals else None
        return rows_by_code(self._gap_keys, self._type_keys, residuals)

    def _behavior_values(self) -> tf.Tensor:
        """Returns the terms added to behaviors' values, by `_behavior_code`, `[codes, H, d]`."""
        residuals = self._residual_values if self._residuals else None
        return rows_by_code(self._gap_values, self._type_values, residuals)

    def _behavior_code(self, behaviors: Behaviors) -> tf.Tensor:
        """Returns each behavior's code of gap, type and residual, `[R, L]` int32."""
        return behaviors.code(self._behavior_types, self._residuals)

    def _scaled(self, query: tf.Tensor) -> tf.Tensor:
        """Divides queries by sqrt(d), because they are fewer than the scores."""
        return query * self._head_width**-0.5

    def _attention(
        self,
        query: tf.Tensor,
        key: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
    ) -> Weights:
        """Returns the weights and their sums; for the arguments see `attend`."""
        key += tf.gather(self._behavior_keys(), self._behavior_code(behaviors))
        query = self._scaled(query)
        scores = multi_head_ops.pair_scores(query, key)  # [R, C, H, L]
        return self._weights(scores, query, codes, behaviors)

    def _weights(
        self,
        scores: tf.Tensor,
        query: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
        added: BehaviorTerms | None = None,
    ) -> Weights:
        """Adds the terms by similarity, type and gap to scores, and normalizes.

        Args:
          scores: `[R, C, H, L]`.
          query: `[R, C, H, d]`, divided by sqrt(d).
          codes: `[R, C, L]` uint8 by modality.
          behaviors: mask, time gap and type.
          added: a further term.

        Returns:
          The weights, and their sums by bucket of each modality and by the further term's code.
        """
        modalities = [
            Similarity(
                codes[name],
                self._bucket_of_code[name],
                multi_head_ops.table_scores(query, key_table),  # [R, C, H, B]
                self._bucket_biases[name],
            )
            for name, key_table in self._bucket_keys.items()
        ]
        # Terms of a behavior alone are summed first: every addition is a pass over all pairs.
        by_gap, padding = self._behavior_terms(behaviors)
        return similarity_softmax(scores, by_gap + padding, behaviors.type, modalities, added)

    def _behavior_terms(self, behaviors: Behaviors) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the score's terms that depend on the behavior alone.

        Returns:
          gamma by type and gap, `[R, H, L]`, and the mask as an offset, `[R, 1, L]`.
        """
        types = tf.cast(behaviors.type, tf.int32)
        # One gather from [Y * gaps, H] instead of two: row type * gaps + gap.
        table = tf.reshape(self._gap_bias, [-1, self._heads])
        by_gap = tf.gather(table, types * _GAPS + behaviors.gap_bucket())  # [R, L, H]
        padding = masking.offsets(behaviors.mask, by_gap.dtype)
        return tf.transpose(by_gap, [0, 2, 1]), padding[:, None]

    def _finish(
        self,
        interest: tf.Tensor,
        masses: Sequence[tf.Tensor],
        behaviors: Behaviors,
    ) -> tf.Tensor:
        """Adds the similarity values, zeroes empty histories and concatenates the heads."""
        for mass, value_table in zip(masses, self._bucket_values.values(), strict=True):
            interest += multi_head_ops.table_values(mass, value_table)
        interest = masking.zero_empty(interest, behaviors.mask)
        shape = tf.shape(interest)
        return tf.reshape(interest, [shape[0], shape[1], self._heads * self._head_width])

    def _projection(self, name: str, width: int) -> tf.Variable:
        limit = (6.0 / (width + self._heads * self._head_width)) ** 0.5
        return self.add_weight(
            name,
            (width, self._heads, self._head_width),
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )

    def _table(self, name: str, rows: int) -> tf.Variable:
        return self.add_weight(
            name,
            (rows, self._heads, self._head_width),
            initializer=keras.initializers.RandomNormal(stddev=0.05),
        )

    def _bias(self, name: str, rows: int) -> tf.Variable:
        shape = (self._behavior_types, rows, self._heads)
        return self.add_weight(name, shape, initializer="zeros")


def _rows(kernel: tf.Variable, count: int, last: bool) -> tf.Variable | tf.Tensor:
    """Returns the kernel's rows of the first or the last inputs; of all, the kernel itself."""
    if count == kernel.shape[0]:
        return kernel
    return kernel[-count:] if last else kernel[:count]
