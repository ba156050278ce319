"""What a caller knows of a request, and the padded arrays that a signature takes."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    HISTORY_ITEM_ID,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
)
from serving_signatures import names

Arrays = dict[str, np.ndarray]

_SIDES = ("candidate", "history")
_NAMED = (CANDIDATE_ITEM_ID, HISTORY_ITEM_ID, HISTORY_TIME_GAP, HISTORY_TYPE)


@dataclasses.dataclass(frozen=True)
class RankingRequest:
    """One user at one moment, and the candidates to rank; nothing is padded.

    Attributes:
      candidate_item_id: `[c]` int64.
      history_item_id: `[l]` int64, oldest first.
      history_time_gap: `[l]` int64, whole seconds from the behavior to the request.
      history_type: `[l]` int64, number of the behavior's type.
      features: every other input of the signature, by its name: `candidate_<name>` `[c, ...]`,
        `history_<name>` `[l, ...]`, `context_<name>` `[K]`. Vectors are needed only where the
        model holds no embedding set; with caches, only of items that the caches lack.
    """

    candidate_item_id: np.ndarray
    history_item_id: np.ndarray
    history_time_gap: np.ndarray
    history_type: np.ndarray
    features: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def values(self) -> Arrays:
        """Returns every value by the name of its input.

        Raises:
          ValueError: lengths do not fit each other.
        """
        values = {name: np.asarray(getattr(self, name), np.int64) for name in _NAMED}
        values |= {name: np.asarray(value) for name, value in self.features.items()}
        for side in _SIDES:
            expected = values[f"{side}_item_id"].shape[:1]
            for name, value in values.items():
                if name.startswith(f"{side}_") and value.shape[:1] != expected:
                    raise ValueError(
                        f"{name} has shape {list(value.shape)}, expected {list(expected)} as "
                        f"{side}_item_id."
                    )
        return values


@dataclasses.dataclass(frozen=True)
class PaddedSizes:
    """The sizes that requests are padded to, so that TF Serving can join them into batches.

    Each needs no more than one trace of memory and one warm-up; a few are enough.

    Attributes:
      candidates: allowed C, ascending. More candidates than the last are an error.
      behaviors: allowed L, ascending. Of a longer history the newest behaviors are kept.
    """

    candidates: tuple[int, ...] = (100, 400, 1200)
    behaviors: tuple[int, ...] = (50, 200, 1000)

    def __post_init__(self) -> None:
        for name in ("candidates", "behaviors"):
            sizes = getattr(self, name)
            if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name} must be ascending sizes from 1, received {sizes}.")


def pad(requests: Sequence[RankingRequest], sizes: PaddedSizes) -> Arrays:
    """Stacks requests to arrays `[R, C, ...]`, `[R, L, ...]` and `[R, ...]`, with their masks.

    Args:
      requests: at least one; all with the same features.
      sizes: what C and L may be; the smallest that holds all of the requests is taken.

    Raises:
      ValueError: there is no request, there are too many candidates, or features differ.
    """
    if not requests:
        raise ValueError("Expected at least one request, received none.")
    longest = sizes.behaviors[-1]
    rows = [_newest(request.values(), longest) for request in requests]
    if any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError(f"Features differ: {[sorted(row) for row in rows]}.")
    padded: Arrays = {}
    for side, allowed in zip(_SIDES, (sizes.candidates, sizes.behaviors), strict=True):
        lengths = np.array([len(row[f"{side}_item_id"]) for row in rows])
        size = _size(int(lengths.max()), allowed)
        padded[f"{side}_mask"] = np.arange(size) < lengths[:, None]
        for name in [name for name in rows[0] if name.startswith(f"{side}_")]:
            padded[name] = np.stack([_extended(row[name], size) for row in rows])
    for name in [name for name in rows[0] if not name.startswith(("candidate_", "history_"))]:
        padded[name] = np.stack([row[name] for row in rows])
    return padded


def unpad(arrays: Arrays) -> list[RankingRequest]:
    """Returns the requests of padded arrays, the inverse of `pad`.

    Args:
      arrays: inputs of `score_request`, with their masks.
    """
    counts = {side: arrays[f"{side}_mask"].sum(axis=1) for side in _SIDES}
    requests = []
    for row in range(len(arrays[CANDIDATE_MASK])):
        own = {}
        for name, value in arrays.items():
            side = name.partition("_")[0]
            own[name] = value[row, : counts[side][row]] if side in counts else value[row]
        named = {name: own.pop(name) for name in _NAMED}
        features = {name: value for name, value in own.items() if not name.endswith("_mask")}
        requests.append(RankingRequest(**named, features=features))
    return requests


def projected_items(arrays: Arrays, wanted: Sequence[str]) -> Arrays:
    """Returns each item of padded requests once, with what a projection signature takes.

    Args:
      arrays: padded requests.
      wanted: the signature's inputs: `item_ids`, or vectors.

    Returns:
      `item_ids` `[N]`, ascending, and every vector that was wanted `[N, M]`. A vector that the
      requests do not carry is left out.
    """
    masks = {side: arrays[f"{side}_mask"] for side in _SIDES}
    ids = np.concatenate([arrays[f"{side}_item_id"][mask] for side, mask in masks.items()])
    unique, first = np.unique(ids, return_index=True)
    items = {names.ITEM_IDS: unique}
    for name in wanted:
        sides = [f"{side}_{name}" for side in _SIDES]
        if name != names.ITEM_IDS and all(side in arrays for side in sides):
            values = [arrays[f"{side}_{name}"][mask] for side, mask in masks.items()]
            items[name] = np.concatenate(values)[first]
    return items


def _newest(values: Arrays, longest: int) -> Arrays:
    return {
        name: value[-longest:] if name.startswith("history_") else value
        for name, value in values.items()
    }


def _size(length: int, allowed: Sequence[int]) -> int:
    for size in allowed:
        if size >= length:
            return size
    raise ValueError(
        f"A request has {length} candidates, but the largest agreed size is {allowed[-1]}: raise "
        "PaddedSizes.candidates, or split the request."
    )


def _extended(value: np.ndarray, size: int) -> np.ndarray:
    extended = np.zeros((size, *value.shape[1:]), value.dtype)
    extended[: len(value)] = value
    return extended
