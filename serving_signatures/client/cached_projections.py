"""What `score_cached` wants of a request's items: from a store, else from the model."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from features.schema import CANDIDATE_MASK
from serving_signatures import names
from serving_signatures.client import ranking_request
from serving_signatures.client.counts import ClientCounts
from serving_signatures.client.projection_store import ProjectionStore
from serving_signatures.client.remote_model import Answer, RemoteModel

Arrays = dict[str, np.ndarray]


class CachedPathUnavailableError(RuntimeError):
    """The model has no split signatures, or a request lacks what they need."""


@dataclasses.dataclass
class Projections:
    """Projections of a request's items.

    Attributes:
      item_ids: `[N]` int64, ascending.
      columns: each projection `[N, ...]` by name.
      tags: by cache.
      version: the version that answered first; None if none was asked.
    """

    item_ids: np.ndarray
    columns: Arrays = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    version: int | None = None

    def inputs(self, requests: Arrays, wanted: Iterable[str]) -> Arrays:
        """Returns those inputs of `score_cached` that come from caches.

        Args:
          requests: padded.
          wanted: names of the signature's inputs.
        """
        inputs: Arrays = {}
        wanted = set(wanted)
        for side in ("candidate", "history"):
            mask = requests[f"{side}_mask"]
            rows = np.searchsorted(self.item_ids, requests[f"{side}_item_id"][mask])
            for name, column in self.columns.items():
                if f"{side}_{name}" in wanted:
                    padded = np.zeros((*mask.shape, *column.shape[1:]), column.dtype)
                    padded[mask] = column[rows]
                    inputs[f"{side}_{name}"] = padded
        count = len(requests[CANDIDATE_MASK])
        for cache, tag in self.tags.items():
            inputs[names.CACHES[cache]] = np.array([tag.encode()] * count, object)
        return inputs


class CachedProjections:
    """Looks projections up and computes those that are missing.

    Args:
      model: computes them.
      store: keeps them.
      counts: counts `<cache>.hits`, `<cache>.misses` in items and `<cache>.calls`.
      items_per_call: no more than TF Serving's `max_batch_size`.
    """

    def __init__(
        self,
        model: RemoteModel,
        store: ProjectionStore,
        counts: ClientCounts,
        items_per_call: int,
    ) -> None:
        self._model = model
        self._store = store
        self._counts = counts
        self._items_per_call = items_per_call

    def fetch(self, requests: Arrays) -> Projections:
        """Returns the projections of every item of padded requests.

        Raises:
          CachedPathUnavailableError: they cannot be had.
          ProjectionStoreError: the store does not answer.
          grpc.RpcError: the model refuses, or does not answer in time.
        """
        signatures = self._model.signatures()
        if not signatures.keys() >= {names.SCORE_CACHED, *names.CACHES}:
            raise CachedPathUnavailableError("the model has no split signatures")
        wanted = [name for cache in names.CACHES for name in signatures[cache]]
        items = ranking_request.projected_items(requests, wanted)
        if not len(items[names.ITEM_IDS]):
            raise CachedPathUnavailableError("there is no item to look up")
        found = Projections(items[names.ITEM_IDS])
        for cache in names.CACHES:
            self._add(found, cache, items)
        return found

    def drop(self, cache: str, tag: str) -> None:
        """Forgets what is kept under a tag."""
        self._store.drop(cache, tag)

    def _add(self, found: Projections, cache: str, items: Arrays) -> None:
        """Adds a cache's projections, all of one tag."""
        missing = np.ones(len(found.item_ids), bool)
        computed = 0
        tag = self._store.tag(cache)
        if tag is not None:
            missing = self._read(found, cache, tag, missing)
        if missing.any():
            received = self._compute(found, cache, items, missing)
            computed = int(missing.sum())
            if tag not in (None, received) and not missing.all():
                # What was found is of another model than the one that answers now.
                missing = self._read(found, cache, received, ~missing)
                if missing.any():
                    self._compute(found, cache, items, missing)
                    computed += int(missing.sum())
            tag = received
        if tag is None:
            raise CachedPathUnavailableError(f"{cache} has no tag")
        found.tags[cache] = tag
        self._counts.add(f"{cache}.misses", computed)
        self._counts.add(f"{cache}.hits", len(missing) - computed)

    def _read(self, found: Projections, cache: str, tag: str, wanted: np.ndarray) -> np.ndarray:
        """Reads items from the store, and returns which of those wanted it lacks, `[N]` bool."""
        known, projections = self._store.get(cache, tag, found.item_ids[wanted])
        rows = np.flatnonzero(wanted)
        _write(found, rows[known], {name: one[known] for name, one in projections.items()})
        missing = np.zeros_like(wanted)
        missing[rows[~known]] = True
        return missing

    def _compute(self, found: Projections, cache: str, items: Arrays, wanted: np.ndarray) -> str:
        """Has the model compute items, keeps them in the store, and returns their tag."""
        signature = self._model.signatures(found.version)[cache]
        if lacking := signature.keys() - items.keys():
            raise CachedPathUnavailableError(
                f"{cache} needs {sorted(lacking)} of items that the cache lacks"
            )
        rows = np.flatnonzero(wanted)
        chunks = np.split(rows, range(self._items_per_call, len(rows), self._items_per_call))
        inputs = [
            {name: items[name][chunk].astype(dtype) for name, dtype in signature.items()}
            for chunk in chunks
        ]
        answers = self._model.call_each(cache, inputs, found.version)
        self._counts.add(f"{cache}.calls", len(answers))
        found.version = answers[0].version
        tag, projections = _joined(answers, names.CACHES[cache])
        self._store.put(cache, tag, found.item_ids[rows], projections)
        _write(found, rows, projections)
        return tag


def _joined(answers: list[Answer], tag_name: str) -> tuple[str, Arrays]:
    """Returns the tag and the projections of answers of one version."""
    outputs = [answer.outputs for answer in answers]
    tag = outputs[0][tag_name].reshape(-1)[0].decode()
    projected = [name for name in outputs[0] if name != tag_name]
    return tag, {name: np.concatenate([one[name] for one in outputs]) for name in projected}


def _write(found: Projections, rows: np.ndarray, projections: Arrays) -> None:
    for name, value in projections.items():
        if name not in found.columns:
            shape = (len(found.item_ids), *value.shape[1:])
            found.columns[name] = np.zeros(shape, value.dtype)
        found.columns[name][rows] = value
