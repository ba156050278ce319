"""The attention as its formula in docs/design.md states it: `[R, C, L, H, d]` built explicitly.

There are two implementations, in NumPy (float64) and, for gradients, in TensorFlow. They share only
the variables with the layer, and find buckets by cosines and edges, not by the layer's tables.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from models.inputs.behaviors import Behaviors
from models.layers.attention.decoupled_attention import DecoupledTargetAttention

GAP_EDGES = [4**exponent for exponent in range(1, 14)]


@dataclasses.dataclass(frozen=True)
class AttentionCase:
    """Random inputs: float32 embeddings, codes by modality, mask, time gap and type."""

    candidates: np.ndarray
    history: np.ndarray
    codes: dict[str, np.ndarray]
    mask: np.ndarray
    time_gap: np.ndarray
    type: np.ndarray
    residual: np.ndarray

    @property
    def behaviors(self) -> Behaviors:
        return Behaviors(*map(tf.constant, (self.mask, self.time_gap, self.type, self.residual)))

    def call(self, layer, candidates=None, history=None) -> tf.Tensor:
        return layer(
            tf.constant(self.candidates) if candidates is None else candidates,
            tf.constant(self.history) if history is None else history,
            {name: tf.constant(codes) for name, codes in self.codes.items()},
            self.behaviors,
        )


def random_case(shape, width, modalities, behavior_types, seed) -> AttentionCase:
    """Draws a case of R, C, L; the first request has all behaviors, others may have none."""
    rng = np.random.default_rng(seed)
    r, c, l = shape  # noqa: E741
    lengths = rng.integers(0, l + 1, r)
    lengths[0] = l
    if r > 2:
        lengths[1] = 0
    mask = np.arange(l) < lengths[:, None]
    codes = {
        name: (rng.integers(0, 256, (r, c, l)) * mask[:, None]).astype(np.uint8)
        for name in modalities
    }
    # On and beside the edges; Bucketize compares as float32, which 4^13 - 1 does not fit.
    gaps = np.array([0, 1, *GAP_EDGES, *(edge - 1 for edge in GAP_EDGES[:-1]), 10**12])
    return AttentionCase(
        rng.standard_normal((r, c, width)).astype(np.float32),
        rng.standard_normal((r, l, width)).astype(np.float32),
        codes,
        mask,
        rng.choice(gaps, (r, l)) * mask,
        rng.integers(0, behavior_types, (r, l)) * mask,
        rng.integers(0, 256, (r, l)) * mask,
    )


def randomize(layer, seed, scale=0.6) -> None:
    """Gives every variable random values: initial zeros could hide a mistake."""
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(scale * rng.standard_normal(variable.shape))


def dense(layer, x: np.ndarray) -> np.ndarray:
    """Returns what a linear `keras.layers.Dense` computes."""
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def variables_by_name(layer: DecoupledTargetAttention) -> dict[str, tf.Variable]:
    return {v.name.split("/")[-1].removesuffix(":0"): v for v in layer.trainable_variables}


def bucket_of(codes: np.ndarray, edges) -> np.ndarray:
    """0 where unknown, else 1 + the number of edges at or below the cosine."""
    cosine = (codes.astype(np.float64) - 1) / 127 - 1
    return np.where(codes == 0, 0, 1 + sum((cosine >= edge).astype(int) for edge in edges))


def residual_row_of(case: AttentionCase) -> np.ndarray:
    """The row of a table with 21 rows per type, as in the formula."""
    return case.type * 21 + bucket_of(case.residual, np.linspace(-1, 1, 21)[1:-1])


def gap_bucket_of(time_gap: np.ndarray) -> np.ndarray:
    return np.sum(time_gap[..., None] >= np.array(GAP_EDGES), axis=-1)


def numpy_attention(w, edges, case: AttentionCase) -> np.ndarray:
    """Returns `[R, C, H * d]` float64 from weights by name, one pair at a time."""
    heads, width = w["query_bias"].shape
    r, c, _ = case.candidates.shape
    gap, residual = gap_bucket_of(case.time_gap), residual_row_of(case)
    out = np.zeros((r, c, heads, width))
    buckets = {name: bucket_of(codes, edges[name]) for name, codes in case.codes.items()}
    for i, j, h in np.ndindex(r, c, heads):
        real = np.flatnonzero(case.mask[i])
        if not real.size:
            continue
        query = case.candidates[i, j] @ w["query_kernel"][:, h] + w["query_bias"][h]
        scores, values = [], []
        for b in real:
            item = case.history[i, b].astype(np.float64)
            key = item @ w["key_kernel"][:, h]
            key = key + w["gap_keys"][gap[i, b], h] + w["type_keys"][case.type[i, b], h]
            value = item @ w["value_kernel"][:, h]
            value = value + w["gap_values"][gap[i, b], h] + w["type_values"][case.type[i, b], h]
            if "residual_keys" in w:
                key = key + w["residual_keys"][residual[i, b], h]
                value = value + w["residual_values"][residual[i, b], h]
            bias = w["gap_bias"][case.type[i, b], gap[i, b], h]
            for name, bucket in buckets.items():
                key = key + w[f"bucket_keys_{name}"][bucket[i, j, b], h]
                value = value + w[f"bucket_values_{name}"][bucket[i, j, b], h]
                bias += w[f"bucket_bias_{name}"][case.type[i, b], bucket[i, j, b], h]
            scores.append(query @ key / np.sqrt(width) + bias)
            values.append(value)
        mass = np.exp(np.array(scores) - max(scores))
        out[i, j, h] = (mass / mass.sum()) @ np.array(values)
    return out.reshape(r, c, heads * width)


def tensorflow_attention(layer, edges, case: AttentionCase, candidates, history) -> tf.Tensor:
    """Returns `[R, C, H * d]` with keys and values of shape `[R, C, L, H, d]`."""
    w = variables_by_name(layer)
    heads, width = w["query_bias"].shape
    gap, kind = gap_bucket_of(case.time_gap), case.type
    query = tf.tensordot(candidates, w["query_kernel"], 1) + w["query_bias"]
    pair = [*candidates.shape[:2], history.shape[1], heads, width]

    def fused(name, kernel):  # [R, C, L, H, d]
        own = tf.tensordot(history, w[kernel], 1)
        own += tf.gather(w[f"gap_{name}"], gap) + tf.gather(w[f"type_{name}"], kind)
        if "residual_keys" in w:
            own += tf.gather(w[f"residual_{name}"], residual_row_of(case))
        total = tf.broadcast_to(own[:, None], pair)
        for modality, codes in case.codes.items():
            bucket = bucket_of(codes, edges[modality])
            total += tf.gather(w[f"bucket_{name}_{modality}"], bucket)
        return total

    key, value = fused("keys", "key_kernel"), fused("values", "value_kernel")
    scores = tf.reduce_sum(query[:, :, None] * key, -1) / width**0.5  # [R, C, L, H]
    scores += tf.gather_nd(w["gap_bias"], np.stack([kind, gap], -1))[:, None]
    for modality, codes in case.codes.items():
        bucket = bucket_of(codes, edges[modality])
        kinds = np.broadcast_to(kind[:, None], bucket.shape)
        scores += tf.gather_nd(w[f"bucket_bias_{modality}"], np.stack([kinds, bucket], -1))
    real = tf.constant(case.mask[:, None, :, None], tf.float32)
    highest = tf.reduce_max(tf.where(real > 0, scores, -1e30), axis=2, keepdims=True)
    mass = real * tf.exp(tf.minimum(scores - tf.stop_gradient(highest), 0.0))
    weights = mass / tf.maximum(tf.reduce_sum(mass, axis=2, keepdims=True), 1e-30)
    interest = tf.reduce_sum(weights[..., None] * value, axis=2)
    return tf.reshape(interest, [*candidates.shape[:2], heads * width])
