"""Whether content has to do with what users do: a permutation test on the vectors of items."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    HISTORY_ITEM_ID,
    HISTORY_MASK,
    candidate_embedding_feature,
)
from models.inputs.batch import Batch

_PERMUTATIONS = 200
_PAIRS = 10_000


@dataclasses.dataclass(frozen=True)
class Relation:
    """The mean cosine of positive candidates and other behaviors of their requests.

    Attributes:
      cosine: with the vectors as they are.
      shuffled: its mean with vectors shuffled between the items.
      shuffled_most: what it is at most in 99% of such shuffles.
    """

    cosine: float
    shuffled: float
    shuffled_most: float


def measure(batches: Iterable[Batch], label: str, modality: str) -> Relation | None:
    """Compares pairs of a positive candidate and a behavior with the same pairs of other vectors.

    Vectors that have nothing to do with the log, such as those of another catalog, could as well
    be shuffled between the items (Fisher, "The Design of Experiments", 1935). A candidate that is
    itself among the behaviors does not count: every vector is similar to itself. Behaviors count
    where a candidate of some request has their vector.

    Args:
      batches: parsed requests, with the candidates' embeddings.
      label: that a positive candidate has.
      modality: whose embeddings are compared.

    Returns:
      None where there is no pair.
    """
    ids, rows, pairs = [np.zeros(0, np.int64)], [], [np.zeros((0, 2), np.int64)]
    for batch in batches:
        known, labels = batch[CANDIDATE_MASK].numpy(), batch[label].numpy()
        items = batch[CANDIDATE_ITEM_ID].numpy()
        ids.append(items[known])
        rows.append(batch[candidate_embedding_feature(modality)].numpy()[known])
        positive = known & (labels > 0)
        real = positive[:, :, None] & batch[HISTORY_MASK].numpy()[:, None]
        behaviors = np.broadcast_to(batch[HISTORY_ITEM_ID].numpy()[:, None], real.shape)
        shown = np.broadcast_to(items[:, :, None], real.shape)
        pairs.append(np.stack([shown[real], behaviors[real]], axis=1))
    item, first = np.unique(np.concatenate(ids), return_index=True)
    if not len(item):
        return None
    vectors = np.concatenate(rows)[first].astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    kept = norms[:, 0] > 0
    item, units = item[kept], (vectors / np.maximum(norms, 1e-12))[kept]
    both = np.concatenate(pairs)
    both = both[(both[:, 0] != both[:, 1]) & np.isin(both, item).all(axis=1)]
    if not len(both):
        return None
    rng = np.random.default_rng(0)
    both = both[rng.permutation(len(both))[:_PAIRS]]
    place = np.searchsorted(item, both)
    shuffled = [_mean(units[rng.permutation(len(units))], place) for _ in range(_PERMUTATIONS)]
    most = float(np.percentile(shuffled, 99))
    return Relation(_mean(units, place), float(np.mean(shuffled)), most)


def _mean(units: np.ndarray, place: np.ndarray) -> float:
    return float(np.einsum("pm,pm->", units[place[:, 0]], units[place[:, 1]]) / len(place))
