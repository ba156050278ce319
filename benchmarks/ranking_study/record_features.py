"""The columns of a training record's candidates for decision trees.

By modality: the largest similarity, its mean, spread and mean of the best, counts by tier, and the
types of the behaviors that are most similar to the candidate (their kernel-weighted types); the
same of both modalities' sum. Besides: behaviors by type, time gaps, earlier behaviors with the
same item, running statistics raw and smoothed, side features. R requests, C candidates,
L behaviors, T behavior types.
"""

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.ranking_study.candidate_columns import Batch
from features.embeddings import similarity
from features.records import running_statistics
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    HISTORY_ITEM_ID,
    HISTORY_MASK,
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ExampleSchema,
    SideFeature,
    candidate_feature,
    context_feature,
    similarity_feature,
)

Columns = dict[str, np.ndarray]

_BEST = (1, 3, 10, 30)
_TIER_EDGES = np.linspace(0.1, 0.8, 8)
_KERNEL_WIDTHS = (0.03, 0.1)
_PRIOR_STRENGTH = 20.0
_RESIDUAL_STRENGTH = 5.0
_MOST_VALUES = 64


def frequent_values(values: Mapping[str, np.ndarray]) -> Columns:
    """Returns the values of categorical side features that get a column of their own.

    Given the train split's int64 values by feature, these are the most frequent ones, `[V]` int64
    ascending, without the padding 0.
    """
    frequent = {}
    for name, found in values.items():
        distinct, counts = np.unique(found[found != 0], return_counts=True)
        frequent[name] = np.sort(distinct[np.argsort(-counts, kind="stable")[:_MOST_VALUES]])
    return frequent


def features(
    schema: ExampleSchema, priors: Mapping[str, float], frequent: Mapping[str, np.ndarray]
) -> Callable[[Batch], Columns]:
    """Returns the function from a batch to float32 columns `[R, C]` by name.

    Args:
      schema: of the records.
      priors: mean of each statistic over the train split, by its name.
      frequent: of the train split, by feature.
    """

    def compute(batch: Batch) -> Columns:
        batch = _with_a_behavior(schema, batch)
        columns = _history(schema, batch) | _content(schema, batch)
        for side in schema.item_features:
            columns |= _side(side, candidate_feature, batch, priors, frequent)
        for side in schema.context_features:
            columns |= _side(side, context_feature, batch, priors, frequent)
        return {
            name: np.broadcast_to(
                values if values.ndim == 2 else values[:, None], batch[CANDIDATE_MASK].shape
            ).astype(np.float32)
            for name, values in columns.items()
        }

    return compute


def _mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns the mean of the last axis where the mask is set, NaN where it is not at all."""
    count = mask.sum(-1)
    return np.where(count > 0, (values * mask).sum(-1) / np.maximum(count, 1), np.nan)


def _with_a_behavior(schema: ExampleSchema, batch: Batch) -> Batch:
    """Returns the batch with a column of padding where no request has a behavior."""
    if batch[HISTORY_MASK].shape[1]:
        return batch
    names = [HISTORY_MASK, *schema.history, *map(similarity_feature, schema.modality_names)]
    grown = {name: np.zeros((*batch[name].shape[:-1], 1), batch[name].dtype) for name in names}
    return {**batch, **grown}


def _history(schema: ExampleSchema, batch: Batch) -> Columns:
    """Returns the columns that need no content."""
    mask, types, gaps = (batch[name] for name in (HISTORY_MASK, HISTORY_TYPE, HISTORY_TIME_GAP))
    length = mask.sum(1)
    last = np.maximum(length - 1, 0)[:, None]
    log_gap = np.log1p(np.where(mask, gaps, 0).astype(np.float64))
    latest, oldest = np.take_along_axis(log_gap, last, 1)[:, 0], log_gap[:, 0]
    same = (batch[CANDIDATE_ITEM_ID][:, :, None] == batch[HISTORY_ITEM_ID][:, None]) & mask[:, None]
    columns = {
        "history_length": length,
        "latest_gap": np.where(length > 0, latest, np.nan),
        "oldest_gap": np.where(length > 0, oldest, np.nan),
        "same_item": same.sum(2),
    }
    place = np.arange(mask.shape[1])
    for recent in (10, 50):
        newest = mask & (place >= (length - recent)[:, None])
        columns[f"type_mean_last_{recent}"] = _mean(types, newest)
        if schema.has_residuals:
            columns[f"residual_mean_last_{recent}"] = _mean(_residuals(batch), newest)
    for kind in range(schema.behavior_types):
        columns[f"share_type_{kind}"] = ((types == kind) & mask).sum(1) / np.maximum(length, 1)
    return columns


def _content(schema: ExampleSchema, batch: Batch) -> Columns:
    """Returns the columns of similarity, by modality and of all modalities together."""
    mask = batch[HISTORY_MASK][:, None]
    columns: Columns = {}
    total = np.zeros((*batch[CANDIDATE_MASK].shape, mask.shape[2]), np.float32)
    anywhere = np.zeros(total.shape, bool)
    for modality in schema.modalities:
        codes = batch[similarity_feature(modality.name)]
        known = (codes != similarity.UNKNOWN_CODE) & mask
        cosine = np.where(known, np.nan_to_num(similarity.cosine_of_code(codes)), 0)
        total += cosine
        anywhere |= known
        columns |= _similarity(modality.name, schema, batch, cosine.astype(np.float32), known)
    if len(schema.modalities) > 1:
        columns |= _kernel_types("all", schema, batch, total, anywhere)
    return columns


def _similarity(
    name: str, schema: ExampleSchema, batch: Batch, cosine: np.ndarray, known: np.ndarray
) -> Columns:
    """Returns the columns of one modality from `[R, C, L]` cosines, 0 where unknown."""
    count = known.sum(2)
    mean = _mean(cosine, known)
    variance = (cosine**2).sum(2) / np.maximum(count, 1) - mean**2
    columns = {
        f"{name}_known": count,
        f"{name}_mean": mean,
        f"{name}_spread": np.sqrt(np.maximum(variance, 0)),
    }
    # The most similar behaviors first, `[R, C, K]`.
    order = np.argsort(-np.where(known, cosine, -2), axis=2, kind="stable")[:, :, : max(_BEST)]
    history = (batch[one][:, None] for one in (HISTORY_TYPE, HISTORY_TIME_GAP))
    best, best_known, types, gaps = (
        np.take_along_axis(np.broadcast_to(one, cosine.shape), order, 2)
        for one in (cosine, known, *history)
    )
    for k in _BEST:
        for column, values in (("similarity", best), ("type", types)):
            columns[f"{name}_best_{k}_{column}"] = _mean(values[..., :k], best_known[..., :k])
    nearest = np.log1p(gaps[:, :, 0].astype(np.float64))
    columns[f"{name}_best_gap"] = np.where(best_known[:, :, 0], nearest, np.nan)
    for edge in _TIER_EDGES:
        columns[f"{name}_above_{edge:.1f}"] = ((cosine >= edge) & known).sum(2)
    for kind in range(schema.behavior_types):
        of_kind = known & (batch[HISTORY_TYPE] == kind)[:, None]
        largest = np.max(cosine, axis=2, initial=-2, where=of_kind)
        columns[f"{name}_largest_type_{kind}"] = np.where(largest > -2, largest, np.nan)
    return columns | _kernel_types(name, schema, batch, cosine, known)


def _kernel_types(
    name: str, schema: ExampleSchema, batch: Batch, cosine: np.ndarray, known: np.ndarray
) -> Columns:
    """Returns types' shares weighted by exp(cosine / width), after Nadaraya (1964)."""
    columns: Columns = {}
    # Relative to the largest cosine, so that no exponential underflows for all behaviors.
    largest = np.max(cosine, axis=2, initial=-2, where=known, keepdims=True)
    for width in _KERNEL_WIDTHS:
        weight = np.where(known, np.exp(np.minimum(cosine - largest, 0) / width), 0)
        share = [
            _weighted(batch[HISTORY_TYPE] == kind, weight) for kind in range(schema.behavior_types)
        ]
        prefix = f"{name}_kernel_{width}"
        columns |= {f"{prefix}_type_{kind}": one for kind, one in enumerate(share) if kind}
        columns[f"{prefix}_type"] = np.sum([k * v for k, v in enumerate(share)], axis=0)
        columns[f"{prefix}_mass"] = weight.sum(2)
        if schema.has_residuals:
            columns[f"{prefix}_residual"] = _weighted(_residuals(batch), weight)
    return columns


def _weighted(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Returns the mean of `[R, L]` values by `[R, C, L]` weights, NaN without any."""
    mass = weight.sum(2)
    total = (weight * values[:, None]).sum(2)
    return np.where(mass > 0, total / np.maximum(mass, 1e-9), np.nan)


def _residuals(batch: Batch) -> np.ndarray:
    """Returns the behaviors' residuals, `[R, L]`, 0 where unknown."""
    return np.nan_to_num(similarity.cosine_of_code(batch[HISTORY_RESIDUAL]))


def _side(
    side: SideFeature,
    naming: Callable[[str], str],
    batch: Batch,
    priors: Mapping[str, float],
    frequent: Mapping[str, np.ndarray],
) -> Columns:
    """Returns the columns of a side feature, `[R, C]` of an item, `[R]` of the request.

    Running statistics become counts and sums as they are, smoothed means, shrunken residuals.
    """
    name = naming(side.name)
    values = batch[name]
    if side.kind == "numeric":
        return {f"{name}_{k}": values[..., k] for k in range(side.width)}
    if side.kind == "categorical" and side.width == 1:
        return {name: values[..., 0]}
    if side.kind == "categorical":
        return {f"{name}_{value}": (values == value).any(-1) for value in frequent.get(name, ())}
    by_column = dict(zip(running_statistics.columns(side), np.moveaxis(values, -1, 0), strict=True))
    columns = {naming(name): column for name, column in by_column.items()}
    for name in side.statistics:
        smoothed = by_column[f"sum_{name}"] + _PRIOR_STRENGTH * priors[name]
        smoothed = smoothed / (by_column["count"] + _PRIOR_STRENGTH)
        columns[naming(f"smoothed_{name}")] = smoothed
        if (residual := by_column.get(f"residual_{name}")) is not None:
            weight = by_column["residual_weight"] + _RESIDUAL_STRENGTH
            columns[naming(f"mean_residual_{name}")] = residual / weight
    return columns
