"""One request without padding, and a batch of requests; `pad` and `unpad` convert between them.

A batch is a dictionary of arrays by feature name, the dictionary that `example.parse_examples`
returns and that signatures take. Its arrays lead with R, then with C for features of candidates
and labels, with L for features of behaviors, and with both for similarity codes. Padding is 0
and False in `candidate_mask` and `history_mask`.

    three histories [7], [], [3, 9]  ->  history_item_id [[7, 0], [0, 0], [3, 9]]
                                         history_mask    [[1, 0], [0, 0], [1, 1]]
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from features.arrays import Array, Integers
from features.ids import given_ids
from features.ids.given_ids import GivenKind
from features.schema import (
    BEHAVIORS,
    CANDIDATE_ITEM_ID,
    CANDIDATES,
    HISTORY_ITEM_ID,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ITEM_AXES,
    REQUEST_ID,
    SCALARS,
    USER_ID,
    ItemAxis,
    similarity_feature,
)

Arrays = dict[str, Array]

_ITEM_IDS = (CANDIDATE_ITEM_ID, HISTORY_ITEM_ID)
_NAMED = (CANDIDATE_ITEM_ID, HISTORY_ITEM_ID, HISTORY_TIME_GAP, HISTORY_TYPE)
_ADVICE = "Give whole numbers."


@dataclasses.dataclass(frozen=True)
class RankingRequest:
    """One user at one moment, and the candidates to rank; nothing is padded.

    A client gives ids and `features`. A training record also has the fields from `labels` on.

    Attributes:
      candidate_item_id: `[c]` item ids, see `values`.
      history_item_id: `[l]` item ids, oldest first.
      history_time_gap: `[l]` int64, whole seconds from the behavior to the request.
      history_type: `[l]` int64, number of the behavior's type.
      features: all other inputs of the signature, by name: `candidate_<name>` `[c, ...]`,
        `history_<name>` `[l, ...]`, `context_<name>` `[K]`. Vectors are needed only if the model
        holds no embedding set; with caches, only those of items that the caches lack. A record
        also has `similarity_<modality>` `[c, l]`.
      labels: `[c]` float32 by label.
      user_id: the user, by fingerprint where ids are strings.
      request_id: id of the candidates that were shown together.
      timestamp: microseconds since 1970.
    """

    candidate_item_id: Integers | Sequence[int] | Sequence[str]
    history_item_id: Integers | Sequence[int] | Sequence[str]
    history_time_gap: Integers
    history_type: Integers
    features: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, Array] = dataclasses.field(default_factory=dict)
    user_id: int | None = None
    request_id: int | None = None
    timestamp: int | None = None

    def values(self, item_kind: GivenKind | None = None) -> Arrays:
        """Returns every value by the name of its feature, ids as int64.

        Args:
          item_kind: what the item ids are: integers; strings, which are hashed as in the join; or
            fingerprints that `features.ids.hashing.fingerprint_strings` made of strings. None for
            integers or fingerprints. Unsigned ids of 2^63 or more become the int64 with the same
            64 bits.

        Raises:
          ValueError: ids are of another kind, gaps or types are no integers, or lengths do not fit
            each other.
        """
        given = {name: getattr(self, name) for name in (*SCALARS, *_NAMED)}
        values = {
            name: _integers(name, value, item_kind)
            for name, value in given.items()
            if value is not None
        }
        values |= {name: np.asarray(value) for name, value in self.features.items()}
        values |= {name: np.asarray(value) for name, value in self.labels.items()}
        for name, value in values.items():
            axes = _axes(name, self.labels)
            expected = sum((values[axis.item_id].shape[:1] for axis in axes), ())
            if value.shape[: len(axes)] != expected:
                raise ValueError(
                    f"{name} has shape {list(value.shape)}, expected {list(expected)} as "
                    f"{' and '.join(axis.item_id for axis in axes)}."
                )
        return values


@dataclasses.dataclass(frozen=True)
class PaddedSizes:
    """The sizes that requests are padded to, so that TF Serving can join them into batches.

    Each pair of sizes costs one trace and one warm-up request; a few sizes are enough.

    Attributes:
      candidates: allowed C, ascending; a request with more candidates is an error.
      behaviors: allowed L, ascending; a longer history keeps its newest behaviors.
    """

    candidates: tuple[int, ...] = (100, 400, 1200)
    behaviors: tuple[int, ...] = (50, 200, 1000)

    def __post_init__(self) -> None:
        for name in ("candidates", "behaviors"):
            sizes = getattr(self, name)
            if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
                raise ValueError(f"{name} must be ascending sizes from 1, received {sizes}.")


def pad(
    requests: Sequence[RankingRequest],
    sizes: PaddedSizes | None = None,
    item_kind: GivenKind | None = None,
) -> Arrays:
    """Stacks requests into a batch, with its masks.

    Args:
      requests: at least one; all with the same features.
      sizes: allowed C and L, of which the smallest that fit all requests are taken; None for the
        most candidates and behaviors of any request.
      item_kind: what the item ids are, see `RankingRequest.values`.

    Raises:
      ValueError: there is no request, a request has too many candidates, or features differ.
    """
    if not requests:
        raise ValueError("Expected at least one request, received none.")
    rows = [request.values(item_kind) for request in requests]
    labels = requests[0].labels
    if any(row.keys() != rows[0].keys() for row in rows):
        raise ValueError(f"Features differ: {[sorted(row) for row in rows]}.")
    axes = {name: _axes(name, labels) for name in rows[0]}
    if sizes is not None:
        rows = [_newest(row, axes, sizes.behaviors[-1]) for row in rows]
    lengths = {axis: np.array([len(row[axis.item_id]) for row in rows]) for axis in ITEM_AXES}
    widths = {axis: int(length.max()) for axis, length in lengths.items()}
    if sizes is not None:
        widths[CANDIDATES] = _size(widths[CANDIDATES], sizes.candidates)
        widths[BEHAVIORS] = _size(widths[BEHAVIORS], sizes.behaviors)
    batch = {axis.mask: np.arange(widths[axis]) < lengths[axis][:, None] for axis in ITEM_AXES}
    for name in rows[0]:
        values = [row[name] for row in rows]
        shape = tuple(widths[axis] for axis in axes[name])
        batch[name] = _stacked(name, values, shape)
    return batch


def unpad(batch: Arrays, labels: Collection[str] = ()) -> list[RankingRequest]:
    """Returns the requests of a batch, the inverse of `pad`.

    Args:
      batch: inputs of `score_request` or parsed records, with their masks.
      labels: which of its names are labels.
    """
    lengths = {axis: batch[axis.mask].sum(axis=1) for axis in ITEM_AXES}
    masks = [axis.mask for axis in ITEM_AXES]
    requests = []
    for row in range(len(batch[CANDIDATES.mask])):
        values: dict[str, Any] = {}
        for name in [name for name in batch if name not in masks]:
            kept = tuple(slice(lengths[axis][row]) for axis in _axes(name, labels))
            values[name] = batch[name][row][kept]
        fields = {name: values.pop(name) for name in _NAMED}
        fields |= {name: int(values.pop(name)) for name in SCALARS if name in values}
        fields["labels"] = {name: values.pop(name) for name in labels}
        requests.append(RankingRequest(**fields, features=values))
    return requests


def _integers(name: str, value: Any, item_kind: GivenKind | None) -> Integers:
    """Returns ids, or other whole numbers, as int64."""
    if name in _ITEM_IDS:
        return given_ids.int64_ids(name, value, item_kind)
    if name in (USER_ID, REQUEST_ID):
        return given_ids.int64_ids(name, value)
    return given_ids.int64(name, value, _ADVICE)


def _axes(name: str, labels: Collection[str]) -> tuple[ItemAxis, ...]:
    """Returns the axes that a feature of one request leads with."""
    if name.startswith(similarity_feature("")):
        return ITEM_AXES
    if name in labels:
        return (CANDIDATES,)
    return tuple(axis for axis in ITEM_AXES if name.startswith(axis.prefix))


def _stacked(name: str, values: Sequence[Array], widths: tuple[int, ...]) -> Array:
    """Stacks R arrays `[n, ...]` of up to `widths` values along their first axes, zeros behind."""
    rest = values[0].shape[len(widths) :]
    if any(value.shape[len(widths) :] != rest for value in values):
        raise ValueError(f"{name} differs in shape: {[list(value.shape) for value in values]}.")
    dtype = np.result_type(*(value.dtype for value in values))
    stacked = np.zeros((len(values), *widths, *rest), dtype)
    for row, value in enumerate(values):
        stacked[(row, *(slice(size) for size in value.shape))] = value
    return stacked


def _newest(row: Arrays, axes: Mapping[str, tuple[ItemAxis, ...]], longest: int) -> Arrays:
    """Cuts a history to its newest behaviors."""
    kept = {CANDIDATES: slice(None), BEHAVIORS: slice(-longest, None)}
    return {name: value[tuple(kept[axis] for axis in axes[name])] for name, value in row.items()}


def _size(length: int, allowed: Sequence[int]) -> int:
    for size in allowed:
        if size >= length:
            return size
    raise ValueError(
        f"A request has {length} candidates, but the largest agreed size is {allowed[-1]}: raise "
        "PaddedSizes.candidates, or split the request."
    )
