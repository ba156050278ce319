"""Random requests of any R, C and L, as a batch and as records, for verification and warm-up.

They have known and unknown items, items without an embedding, padding on both axes and every
behavior type.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from features.embeddings import similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.records import example, requests
from features.records.requests import Arrays
from features.schema import (
    BEHAVIORS,
    CANDIDATES,
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ITEM_AXES,
    ExampleSchema,
    SideFeature,
    candidate_embedding_feature,
    candidate_feature,
    context_feature,
    similarity_feature,
)
from serving_signatures import names


def sample_requests(
    schema: ExampleSchema,
    item_ids: np.ndarray,
    embeddings: Mapping[str, EmbeddingSet],
    shape: tuple[int, int, int],
    seed: int,
) -> Arrays:
    """Draws a batch of requests, with the vectors of their items.

    Args:
      schema: what the model was trained with.
      item_ids: `[N]` int64 items to draw from; a tenth of the draws is an unknown id.
      embeddings: embedding set by modality; a modality that is not there gets random vectors,
        a tenth of them zero.
      shape: R, C, L. The first request has exactly C candidates and L behaviors, the others
        up to that many.
      seed: of everything drawn.
    """
    rng = np.random.default_rng(seed)
    count, candidates, behaviors = shape
    lengths = {
        CANDIDATES: rng.integers(1, candidates + 1, count),
        BEHAVIORS: rng.integers(0, behaviors + 1, count),
    }
    batch: Arrays = {}
    for axis, most in zip(ITEM_AXES, (candidates, behaviors), strict=True):
        lengths[axis][0] = most
        batch[axis.mask] = np.arange(most) < lengths[axis][:, None]
    for axis in ITEM_AXES:
        batch[axis.item_id] = _draw_items(rng, item_ids, batch[axis.mask])
    for modality in schema.modalities:
        for axis in ITEM_AXES:
            batch[axis.feature(names.vector(modality.name))] = _vectors(
                rng, embeddings.get(modality.name), modality.dimension, batch[axis.item_id]
            )
    known = batch[BEHAVIORS.mask]
    gaps = -np.sort(-rng.integers(1, 10**8, known.shape), axis=1)
    batch[HISTORY_TIME_GAP] = np.where(known, gaps, 0)
    batch[HISTORY_TYPE] = np.where(known, rng.integers(0, schema.behavior_types, known.shape), 0)
    if schema.has_residuals:
        codes = rng.integers(0, similarity.CODES, known.shape)
        batch[HISTORY_RESIDUAL] = np.where(known, codes, 0)
    for side in schema.item_features:
        batch[candidate_feature(side.name)] = _side_values(rng, side, (count, candidates))
    for side in schema.context_features:
        batch[context_feature(side.name)] = _side_values(rng, side, (count,))
    return batch


def encode_batch(schema: ExampleSchema, batch: Arrays) -> list[bytes]:
    """Encodes requests as the join would, with similarity codes of their vectors.

    Args:
      schema: of the records.
      batch: R requests with the vectors of every modality.

    Returns:
      R serialized Examples, for `serving_default`; labels are 0.
    """
    records = []
    for row, request in enumerate(requests.unpad(batch)):
        features = dict(request.features)
        for name in schema.modality_names:
            (candidates, norms), behaviors = (
                similarity.quantize(features[axis.feature(names.vector(name))])
                for axis in ITEM_AXES
            )
            features[similarity_feature(name)] = similarity.codes(candidates, norms, *behaviors)
            features[candidate_embedding_feature(name)] = candidates
        labels = dict.fromkeys(schema.labels, np.zeros(len(request.candidate_item_id), np.float32))
        request = dataclasses.replace(
            request, features=features, labels=labels, user_id=row, request_id=row, timestamp=0
        )
        records.append(example.encode_request(schema, request))
    return records


def _draw_items(rng: np.random.Generator, item_ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    known = rng.choice(item_ids, mask.shape)
    unknown = rng.integers(-(2**62), 2**62, mask.shape)
    return np.where(mask, np.where(rng.random(mask.shape) < 0.1, unknown, known), 0)


def _vectors(
    rng: np.random.Generator, embeddings: EmbeddingSet | None, width: int, item_ids: np.ndarray
) -> np.ndarray:
    """Returns items' vectors, `[R, n]` int64 to `[R, n, M]` float32."""
    if embeddings is not None:
        return embeddings.vectors(item_ids)
    vectors = rng.standard_normal((*item_ids.shape, width))
    return (vectors * (rng.random(item_ids.shape) < 0.9)[..., None]).astype(np.float32)


def _side_values(rng: np.random.Generator, side: SideFeature, shape: tuple[int, ...]) -> np.ndarray:
    if side.kind == "categorical":
        return rng.integers(0, 2**62, (*shape, side.width)) * (
            rng.random((*shape, side.width)) < 0.8
        )
    if side.kind == "running":
        return _running_values(rng, side, shape)
    return rng.standard_normal((*shape, side.width)).astype(np.float32)


def _running_values(
    rng: np.random.Generator, side: SideFeature, shape: tuple[int, ...]
) -> np.ndarray:
    """Returns sums that belong to their counts, from no event at all to many thousands."""
    counts = np.floor(rng.exponential(1.0, (*shape, 1)) ** 4 * 10)
    means = rng.standard_normal((*shape, side.width - 1))
    return np.concatenate([counts, counts * np.abs(means)], axis=-1).astype(np.float32)
