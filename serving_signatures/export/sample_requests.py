"""Requests of any R, C, L, once as Examples and once as arrays, for verification and warm-up.

They are random where a real request is not needed: known and unknown items, items without an
embedding, padding on both axes, every behavior type.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from features.embeddings import similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.records import example
from features.schema import (
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ExampleSchema,
    SideFeature,
    candidate_feature,
    context_feature,
)
from serving_signatures import names

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class SampleRequests:
    """R requests of at most C candidates and L behaviors.

    Attributes:
      examples: `[R]` serialized Examples, for `serving_default`.
      context: what every other scoring signature needs besides items and their content.
      item_ids: int64 `candidate` `[R, C]` and `history` `[R, L]`.
      vectors: by modality, float32 `candidate` `[R, C, M]` and `history` `[R, L, M]`.
    """

    examples: list[bytes]
    context: Arrays
    item_ids: Arrays
    vectors: dict[str, Arrays]

    def score_request(self, tables_inside: bool) -> Arrays:
        """Returns the inputs of `score_request`."""
        inputs = dict(self.context)
        for side in ("candidate", "history"):
            inputs[f"{side}_item_id"] = self.item_ids[side]
            if not tables_inside:
                for modality, vectors in self.vectors.items():
                    inputs[f"{side}_{names.vector(modality)}"] = vectors[side]
        return inputs


def sample_requests(
    schema: ExampleSchema,
    item_ids: np.ndarray,
    embeddings: Mapping[str, EmbeddingSet],
    shape: tuple[int, int, int],
    seed: int,
) -> SampleRequests:
    """Draws requests.

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
    requests, candidates, behaviors = shape
    counts = rng.integers(1, candidates + 1, requests)
    lengths = rng.integers(0, behaviors + 1, requests)
    counts[0], lengths[0] = candidates, behaviors
    masks = {
        "candidate": np.arange(candidates) < counts[:, None],
        "history": np.arange(behaviors) < lengths[:, None],
    }
    drawn = {side: _draw_items(rng, item_ids, mask) for side, mask in masks.items()}
    vectors = {
        modality.name: _vectors(rng, embeddings.get(modality.name), modality.dimension, drawn)
        for modality in schema.modalities
    }
    context: Arrays = {f"{side}_mask": mask for side, mask in masks.items()}
    gaps = -np.sort(-rng.integers(1, 10**8, masks["history"].shape), axis=1)
    context[HISTORY_TIME_GAP] = np.where(masks["history"], gaps, 0)
    types = rng.integers(0, schema.behavior_types, masks["history"].shape)
    context[HISTORY_TYPE] = np.where(masks["history"], types, 0)
    if schema.has_residuals:
        codes = rng.integers(0, similarity.CODES, masks["history"].shape)
        context[HISTORY_RESIDUAL] = np.where(masks["history"], codes, 0)
    for side in schema.item_features:
        context[candidate_feature(side.name)] = _side_values(rng, side, masks["candidate"].shape)
    for side in schema.context_features:
        context[context_feature(side.name)] = _side_values(rng, side, (requests,))
    sampled = SampleRequests([], context, drawn, vectors)
    for row in range(requests):
        request = _request(schema, sampled, row, counts[row], lengths[row])
        sampled.examples.append(example.encode_request(schema, request))
    return sampled


def _draw_items(rng: np.random.Generator, item_ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    known = rng.choice(item_ids, mask.shape)
    unknown = rng.integers(-(2**62), 2**62, mask.shape)
    return np.where(mask, np.where(rng.random(mask.shape) < 0.1, unknown, known), 0)


def _vectors(
    rng: np.random.Generator, embeddings: EmbeddingSet | None, width: int, items: Arrays
) -> Arrays:
    """Returns each side's vectors."""
    if embeddings is not None:
        return {side: embeddings.vectors(ids) for side, ids in items.items()}
    return {
        side: (
            rng.standard_normal((*ids.shape, width)) * (rng.random(ids.shape) < 0.9)[..., None]
        ).astype(np.float32)
        for side, ids in items.items()
    }


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


def _request(
    schema: ExampleSchema, sampled: SampleRequests, row: int, candidates: int, behaviors: int
) -> example.Request:
    """Returns one row without padding, as the join would build it."""
    parts: dict[str, Arrays] = {"similarity": {}, "candidate_embedding": {}}
    for modality, vectors in sampled.vectors.items():
        quantized, norms = similarity.quantize(vectors["candidate"][row, :candidates])
        behavior = similarity.quantize(vectors["history"][row, :behaviors])
        parts["similarity"][modality] = similarity.codes(quantized, norms, *behavior)
        parts["candidate_embedding"][modality] = quantized
    context = sampled.context
    return example.Request(
        user_id=row,
        request_id=row,
        timestamp=0,
        history_item_id=sampled.item_ids["history"][row, :behaviors],
        history_time_gap=context[HISTORY_TIME_GAP][row, :behaviors],
        history_type=context[HISTORY_TYPE][row, :behaviors],
        history_residual=context[HISTORY_RESIDUAL][row, :behaviors]
        if schema.has_residuals
        else None,
        candidate_item_id=sampled.item_ids["candidate"][row, :candidates],
        labels={label: np.zeros(candidates, np.float32) for label in schema.labels},
        item_features={
            side.name: context[candidate_feature(side.name)][row, :candidates]
            for side in schema.item_features
        },
        context_features={
            side.name: context[context_feature(side.name)][row] for side in schema.context_features
        },
        **parts,
    )
