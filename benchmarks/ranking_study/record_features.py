"""What a training record says of each candidate, as one row of numbers for decision trees.

By modality: similarity's largest, mean, spread and mean of the best, counts by tier, and how the
behaviors were typed that are most similar to the candidate (their kernel-weighted types); the
same of both modalities' product. Besides: behaviors by type, time gaps, earlier behaviors with
the very same item, running statistics raw and smoothed, side features. R requests, C candidates,
L behaviors, T behavior types.
"""

import dataclasses
from collections.abc import Callable

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
    HISTORY_TYPE,
    ExampleSchema,
    SideFeature,
    similarity_feature,
)

Columns = dict[str, np.ndarray]

_BEST = (1, 3, 10, 30)
_TIER_EDGES = np.linspace(0.1, 0.8, 8)
_KERNEL_WIDTHS = (0.03, 0.1)
_PRIOR_STRENGTH = 20.0
_RESIDUAL_STRENGTH = 5.0
_MOST_VALUES = 64
_NO_GAP = np.float32("nan")


@dataclasses.dataclass(frozen=True)
class SideValues:
    """The values of categorical side features that get a column of their own.

    Attributes:
      frequent: `[V]` int64 by feature, without the padding 0.
    """

    frequent: dict[str, np.ndarray]

    @classmethod
    def of(cls, values: dict[str, np.ndarray]) -> "SideValues":
        """Chooses the most frequent ones.

        Args:
          values: int64 by feature, any shape; of the train split.
        """
        frequent = {}
        for name, found in values.items():
            distinct, counts = np.unique(found[found != 0], return_counts=True)
            frequent[name] = np.sort(distinct[np.argsort(-counts, kind="stable")[:_MOST_VALUES]])
        return cls(frequent)


def features(
    schema: ExampleSchema, priors: dict[str, float], side_values: SideValues
) -> Callable[[Batch], Columns]:
    """Returns the function from a batch to float32 columns `[R, C]` by name.

    Args:
      schema: what the records hold.
      priors: mean of each statistic over the train split, by its name.
      side_values: of the train split.
    """

    def compute(batch: Batch) -> Columns:
        batch = _with_a_behavior(schema, batch)
        columns = _history(schema, batch)
        columns |= _content(schema, batch)
        for prefix, sides in (
            ("candidate_", schema.item_features),
            ("context_", schema.context_features),
        ):
            for side in sides:
                columns |= _side(side, prefix, batch, priors, side_values)
        shape = batch[CANDIDATE_MASK].shape
        return {
            name: np.broadcast_to(values if values.ndim == 2 else values[:, None], shape).astype(
                np.float32
            )
            for name, values in columns.items()
        }

    return compute


def _with_a_behavior(schema: ExampleSchema, batch: Batch) -> Batch:
    """Returns the batch with a column of padding where no request has a behavior."""
    if batch[HISTORY_MASK].shape[1]:
        return batch
    names = (
        HISTORY_MASK,
        *schema.history,
        *(similarity_feature(one) for one in schema.modality_names),
    )
    grown = {name: np.zeros((*batch[name].shape[:-1], 1), batch[name].dtype) for name in names}
    return {**batch, **grown}


def _history(schema: ExampleSchema, batch: Batch) -> Columns:
    """Returns what does not need content."""
    mask, types, gaps = (batch[f"history_{name}"] for name in ("mask", "type", "time_gap"))
    length = mask.sum(1)
    last = np.maximum(length - 1, 0)[:, None]
    rows = np.maximum(length, 1)
    log_gap = np.log1p(np.where(mask, gaps, 0).astype(np.float64))
    latest, oldest = np.take_along_axis(log_gap, last, 1)[:, 0], log_gap[:, :1].sum(1)
    same = (batch[CANDIDATE_ITEM_ID][:, :, None] == batch[HISTORY_ITEM_ID][:, None]) & mask[:, None]
    columns = {
        "history_length": length,
        "latest_gap": np.where(length > 0, latest, _NO_GAP),
        "oldest_gap": np.where(length > 0, oldest, _NO_GAP),
        "same_item": same.sum(2),
    }
    place = np.arange(mask.shape[1])
    for recent in (10, 50):
        newest = mask & (place >= (length - recent)[:, None])
        mean = (types * newest).sum(1) / np.maximum(newest.sum(1), 1)
        columns[f"type_mean_last_{recent}"] = np.where(length > 0, mean, np.nan)
        if schema.has_residuals:
            mean = (_residuals(batch) * newest).sum(1) / np.maximum(newest.sum(1), 1)
            columns[f"residual_mean_last_{recent}"] = np.where(length > 0, mean, np.nan)
    for kind in range(schema.behavior_types):
        columns[f"share_type_{kind}"] = ((types == kind) & mask).sum(1) / rows
    return columns


def _content(schema: ExampleSchema, batch: Batch) -> Columns:
    """Returns what similarity says, by modality and of all modalities together."""
    mask = batch[HISTORY_MASK][:, None]
    columns: Columns = {}
    total = np.zeros((*batch[CANDIDATE_MASK].shape, batch[HISTORY_MASK].shape[1]), np.float32)
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
    """Returns the columns of one modality from `[R, C, L]` cosines."""
    count = known.sum(2)
    rows = np.maximum(count, 1)
    mean = cosine.sum(2) / rows
    spread = np.sqrt(np.maximum((cosine**2).sum(2) / rows - mean**2, 0))
    columns = {
        f"{name}_known": count,
        f"{name}_mean": np.where(count > 0, mean, np.nan),
        f"{name}_spread": np.where(count > 0, spread, np.nan),
    }
    ranked = np.where(known, cosine, -2)
    order = np.argsort(-ranked, axis=2, kind="stable")[:, :, : max(_BEST)]
    best, best_known = (np.take_along_axis(one, order, 2) for one in (cosine, known))
    shape = cosine.shape
    types, gaps = (
        np.take_along_axis(np.broadcast_to(batch[f"history_{one}"][:, None], shape), order, 2)
        for one in ("type", "time_gap")
    )
    for k in _BEST:
        used = best_known[:, :, :k].sum(2)
        for column, values in (("similarity", best), ("type", types)):
            mean_k = (values * best_known)[:, :, :k].sum(2) / np.maximum(used, 1)
            columns[f"{name}_best_{k}_{column}"] = np.where(used > 0, mean_k, np.nan)
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
    """Returns each type's share of the behaviors weighted by exp(cosine / width).

    After Nadaraya, "On estimating regression", 1964: the mean type of similar behaviors.
    """
    columns = {}
    largest = np.max(cosine, axis=2, initial=-2, where=known, keepdims=True)
    kinds = [(batch[HISTORY_TYPE] == kind)[:, None] for kind in range(schema.behavior_types)]
    for width in _KERNEL_WIDTHS:
        weight = np.where(known, np.exp(np.minimum(cosine - largest, 0) / width), 0)
        mass = weight.sum(2)
        share = [
            np.where(mass > 0, (weight * kind).sum(2) / np.maximum(mass, 1e-9), np.nan)
            for kind in kinds
        ]
        for kind, values in enumerate(share[1:], start=1):
            columns[f"{name}_kernel_{width}_type_{kind}"] = values
        columns[f"{name}_kernel_{width}_type"] = np.sum(
            [k * v for k, v in enumerate(share)], axis=0
        )
        columns[f"{name}_kernel_{width}_mass"] = mass
        if schema.has_residuals:
            mean = (weight * _residuals(batch)[:, None]).sum(2) / np.maximum(mass, 1e-9)
            columns[f"{name}_kernel_{width}_residual"] = np.where(mass > 0, mean, np.nan)
    return columns


def _residuals(batch: Batch) -> np.ndarray:
    """Returns the behaviors' residuals, `[R, L]`, 0 where unknown."""
    return np.nan_to_num(similarity.cosine_of_code(batch[HISTORY_RESIDUAL]))


def _side(
    side: SideFeature,
    prefix: str,
    batch: Batch,
    priors: dict[str, float],
    side_values: SideValues,
) -> Columns:
    """Returns the columns of a side feature, `[R, C]` of an item, `[R]` of the request."""
    name = prefix + side.name
    values = batch[name]
    if side.kind == "numeric":
        return {f"{name}_{k}": values[..., k] for k in range(side.width)}
    if side.kind == "running":
        return _running(side, prefix, values, priors)
    if side.width == 1:
        return {name: values[..., 0]}
    return {
        f"{name}_{value}": (values == value).any(-1) for value in side_values.frequent.get(name, ())
    }


def _running(
    side: SideFeature, prefix: str, values: np.ndarray, priors: dict[str, float]
) -> Columns:
    """Returns counts and sums as they are, smoothed means and shrunken residuals."""
    by_column = dict(zip(running_statistics.columns(side), np.moveaxis(values, -1, 0), strict=True))
    columns = {f"{prefix}{name}": column for name, column in by_column.items()}
    for name in side.statistics:
        smoothed = by_column[f"sum_{name}"] + _PRIOR_STRENGTH * priors[name]
        smoothed = smoothed / (by_column["count"] + _PRIOR_STRENGTH)
        columns[f"{prefix}smoothed_{name}"] = smoothed
        if (residual := by_column.get(f"residual_{name}")) is not None:
            weight = by_column["residual_weight"] + _RESIDUAL_STRENGTH
            columns[f"{prefix}mean_residual_{name}"] = residual / weight
    return columns
