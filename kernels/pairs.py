"""Passes over the pairs of candidates and behaviors, by native kernels.

Each function needs the library (`library.ops`), and says which stock ops it equals.

Shapes: R requests, C candidates, L behaviors, H heads, B buckets, Y behavior types, N modalities.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from features.embeddings import similarity
from kernels import library


def similarity_codes(
    quantized_a: tf.Tensor, norms_a: tf.Tensor, quantized_b: tf.Tensor, norms_b: tf.Tensor
) -> tf.Tensor:
    """Returns the similarity code of every pair, `[R, A, B]` uint8; equal to `in_graph.codes`.

    Args:
      quantized_a: `[R, A, M]` int8.
      norms_a: `[R, A]` float32, 0 where there is no vector.
      quantized_b: `[R, B, M]` int8.
      norms_b: `[R, B]` float32.
    """
    return library.load().dmf_similarity_codes(
        candidates=quantized_a,
        candidate_norms=norms_a,
        behaviors=quantized_b,
        behavior_norms=norms_b,
    )


def newest_codes(codes: tf.Tensor, start: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
    """Returns `kept` codes of each candidate from its request's `start` on.

    Args:
      codes: `[R, C, L]` uint8.
      start: `[R]` int32, at most `L - kept`.
      kept: W, scalar int32.

    Returns:
      `[R, C, W]` uint8.
    """
    return library.load().dmf_newest_codes(codes=codes, start=start, kept=kept)


def code_sums(
    codes: Sequence[tf.Tensor],
    columns: tf.Tensor,
    mask: tf.Tensor,
    table: np.ndarray,
    with_product: bool = False,
) -> tf.Tensor:
    """Sums over each candidate's behaviors what their codes look up.

    It has no gradient: codes are integers, and tables and columns are constants.

    Args:
      codes: `[R, C, L]` uint8 of each modality, at least one.
      columns: `[R, L, K]` float32, factors of each behavior.
      mask: `[R, L]` bool, False for padding.
      table: `[256]`, by code.
      with_product: also sum the product of what the codes of all modalities look up.

    Returns:
      `[R, C, N, K]` float32, or `[R, C, N + 1, K]` with the product's last.
    """
    found = library.load().dmf_code_sums(
        codes=codes,
        columns=tf.stop_gradient(columns),
        mask=mask,
        table=np.asarray(table, np.float32),
        tier_of_code=np.zeros((0, similarity.CODES), np.int32),
        tiers=0,
        with_product=with_product,
    )
    return found.sums


def tier_counts(
    codes: Sequence[tf.Tensor], mask: tf.Tensor, tier_of_code: Sequence[np.ndarray]
) -> list[tf.Tensor]:
    """Counts each candidate's behaviors by tier.

    Args:
      codes: `[R, C, L]` uint8 of each modality, at least one.
      mask: `[R, L]` bool, False for padding.
      tier_of_code: of each modality, `[256]`, ascending from 1 on, 0 for no tier.

    Returns:
      Of each modality, `[R, C, tiers]` float32.
    """
    tables = np.stack(tier_of_code).astype(np.int32)
    found = library.load().dmf_code_sums(
        codes=codes,
        columns=tf.zeros([*tf.unstack(tf.shape(mask)), 0]),
        mask=mask,
        table=np.zeros(similarity.CODES, np.float32),
        tier_of_code=tables,
        tiers=int(tables.max()),
        with_product=False,
    )
    sizes = tables.max(axis=1)
    return [one[..., :size] for one, size in zip(found.counts, sizes, strict=True)]


class Similarity(NamedTuple):
    """What one modality adds to the scores.

    Attributes:
      codes: `[R, C, L]` uint8.
      bucket_of_code: `[256]` int32 in `[0, B)`.
      terms: `[R, C, H, B]` float32.
      biases: `[Y, B, H]` float32.
    """

    codes: tf.Tensor
    bucket_of_code: np.ndarray
    terms: tf.Tensor
    biases: tf.Tensor


class Weights(NamedTuple):
    """Attention weights and their sums.

    Attributes:
      weights: `[R, C, H, L]` float32.
      by_code: `[R, C, H, K]`, sums by the behavior's code; None where there is none.
      by_bucket: of each modality, `[R, C, H, B]`, sums by bucket.
    """

    weights: tf.Tensor
    by_code: tf.Tensor | None
    by_bucket: list[tf.Tensor]


def bucket_softmax(
    scores: tf.Tensor,
    offsets: tf.Tensor,
    types: tf.Tensor,
    modalities: Sequence[Similarity],
    behavior_codes: tf.Tensor | None = None,
    behavior_terms: tf.Tensor | None = None,
) -> Weights:
    """Adds the terms of similarity to scores, normalizes them and sums the weights by bucket.

    Equal to `similarity_code_ops.gather_by_type_and_code` of each modality, `gather_by_code` of the
    behaviors' codes, `tf.nn.softmax` and `sum_by_code`.

    Args:
      scores: `[R, C, H, L]` float32.
      offsets: `[R, H, L]` float32, added to the scores of all candidates.
      types: `[R, L]` integer in `[0, Y)`.
      modalities: what similarity adds.
      behavior_codes: `[R, L]` int32 in `[0, K)`, or None.
      behavior_terms: `[R, C, H, K]` float32, looked up by `behavior_codes`.
    """
    types = tf.cast(types, tf.int32)
    if behavior_codes is None or behavior_terms is None:
        behavior_codes = types
        shape = tf.shape(scores)
        behavior_terms = tf.zeros(tf.concat([shape[:3], [0]], axis=0))
    tables = [one.bucket_of_code for one in modalities]
    return Weights(
        *library.load().dmf_bucket_softmax(
            scores=scores,
            offsets=offsets,
            types=types,
            behavior_codes=behavior_codes,
            behavior_terms=behavior_terms,
            bucket_of_code=np.reshape(np.asarray(tables, np.int32), [-1, 256]),
            codes=[one.codes for one in modalities],
            terms=[one.terms for one in modalities],
            biases=[one.biases for one in modalities],
        )
    )


@tf.RegisterGradient("DmfBucketSoftmax")
def _bucket_softmax_gradient(operation: tf.Operation, *upstream: tf.Tensor) -> list[Any]:
    """Returns the gradients of the op's inputs, in their order."""
    count = operation.get_attr("N")
    inputs, codes = list(operation.inputs), list(operation.inputs)[6 : 6 + count]
    of_weights, of_mass, *of_masses = upstream
    found = library.load().dmf_bucket_softmax_gradient(
        weights=operation.outputs[0],
        weights_gradient=of_weights,
        types=inputs[2],
        behavior_codes=inputs[3],
        behavior_mass_gradient=of_mass,
        bucket_of_code=inputs[5],
        codes=codes,
        mass_gradients=of_masses,
        types_count=inputs[-1].shape[0] if count else 1,
    )
    return [
        found.scores_gradient,
        found.offsets_gradient,
        None,
        None,
        found.behavior_terms_gradient,
        None,
        *[None] * count,
        *found.terms_gradients,
        *found.biases_gradients,
    ]


for _name in ("DmfSimilarityCodes", "DmfCodeSums", "DmfNewestCodes"):
    tf.no_gradient(_name)
