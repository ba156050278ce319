"""The projections that one `score_cached` call takes: from a store, else from the model."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from features.arrays import Array, Booleans, Integers
from features.records.requests import Arrays
from features.schema import CANDIDATES, ITEM_AXES
from serving_signatures import names
from serving_signatures.client.answer_errors import UnexpectedAnswerError
from serving_signatures.client.counts import ClientCounts
from serving_signatures.client.messages import Output
from serving_signatures.client.projection_store import ProjectionStore
from serving_signatures.client.remote_model import Answer, RemoteModel

_LARGEST = 1e15
"""Of a float in a cache. Products of larger ones overflow, and NaN is not smaller either."""


class CachedPathUnavailableError(RuntimeError):
    """The model has no split signatures, or a request lacks what they need."""


class Projections:
    """The projections of every item of a batch, all of a cache under one tag.

    Args:
      model: computes what the store lacks.
      store: keeps them.
      counts: counts `<cache>.hits`, `<cache>.misses` in items and `<cache>.calls`.
      items_per_call: no more than TF Serving's `max_batch_size`.
      batch: padded requests.
      known_tags: what the model is known to have, by cache; the store is asked for the others.

    Attributes:
      tags: by cache.
      version: the version that answered first; None if none was asked.

    Raises:
      CachedPathUnavailableError: they cannot be had.
      ProjectionStoreError: the store does not answer.
      grpc.RpcError: the model refuses, or does not answer in time.
    """

    def __init__(
        self,
        model: RemoteModel,
        store: ProjectionStore,
        counts: ClientCounts,
        items_per_call: int,
        batch: Arrays,
        known_tags: Mapping[str, str],
    ) -> None:
        self.tags: dict[str, str] = {}
        self.version: int | None = None
        self._model = model
        self._store = store
        self._counts = counts
        self._items_per_call = items_per_call
        self._batch = batch
        self._known_tags = known_tags
        self._columns: Arrays = {}
        self._unfit: set[tuple[str, str]] = set()
        signatures = model.signatures()
        if not signatures.keys() >= {names.SCORE_CACHED, *names.CACHES}:
            raise CachedPathUnavailableError("the model has no split signatures")
        wanted = [name for cache in names.CACHES for name in signatures[cache]]
        self._items = projected_items(batch, wanted)
        self._item_ids = self._items[names.ITEM_IDS]
        if not len(self._item_ids):
            raise CachedPathUnavailableError("there is no item to look up")
        for cache in names.CACHES:
            self._add(cache)

    def blamed(self, details: str) -> bool:
        """Whether an error's details name one of the inputs that come from caches."""
        return any(axis.feature(name) in details for axis in ITEM_AXES for name in self._columns)

    def inputs(self, wanted: Iterable[str]) -> Arrays:
        """Returns those inputs of `score_cached` that come from caches.

        Args:
          wanted: names of the signature's inputs.
        """
        inputs: Arrays = {}
        wanted = set(wanted)
        for axis in ITEM_AXES:
            mask = self._batch[axis.mask]
            rows = np.searchsorted(self._item_ids, self._batch[axis.item_id][mask])
            for name, column in self._columns.items():
                if axis.feature(name) in wanted:
                    padded = np.zeros((*mask.shape, *column.shape[1:]), column.dtype)
                    padded[mask] = column[rows]
                    inputs[axis.feature(name)] = padded
        count = len(self._batch[CANDIDATES.mask])
        for cache, tag in self.tags.items():
            inputs[names.CACHES[cache]] = np.array([tag.encode()] * count, object)
        return inputs

    def _add(self, cache: str) -> None:
        """Adds a cache's projections, all of one tag."""
        missing = np.ones(len(self._item_ids), bool)
        computed = 0
        known = self._known_tags.get(cache)
        tag = known or self._store.tag(cache)
        if tag is not None:
            missing = self._read(cache, tag, missing)
        if missing.any():
            # The tag that the store got last may be another model's: few items tell this one's.
            asked = missing if known else self._first_call(missing)
            received = self._compute(cache, asked)
            computed = int(asked.sum())
            missing = missing & ~asked
            if tag != received and not asked.all():
                # What was found is of another model than the one that answers now.
                missing = self._read(cache, received, ~asked)
            if missing.any():
                self._compute(cache, missing)
                computed += int(missing.sum())
            tag = received
        if tag is None:
            raise CachedPathUnavailableError(f"{cache} has no tag")
        self.tags[cache] = tag
        self._counts.add(f"{cache}.misses", computed)
        self._counts.add(f"{cache}.hits", len(missing) - computed)

    def _first_call(self, missing: Booleans) -> Booleans:
        """Returns those of the missing items that one call can compute."""
        first = np.zeros_like(missing)
        first[np.flatnonzero(missing)[: self._items_per_call]] = True
        return first

    def _read(self, cache: str, tag: str, wanted: Booleans) -> Booleans:
        """Reads items from the store, and returns which of those wanted it lacks, `[N]` bool."""
        found, projections = self._store.get(cache, tag, self._item_ids[wanted])
        known = found & self._usable(cache, tag, found, projections)
        if damaged := int(found.sum() - known.sum()):
            self._counts.add(f"{cache}.damaged", damaged)
        rows = np.flatnonzero(wanted)
        if known.any():
            self._write(rows[known], {name: one[known] for name, one in projections.items()})
        missing = np.zeros_like(wanted)
        missing[rows[~known]] = True
        return missing

    def _usable(self, cache: str, tag: str, found: Booleans, projections: Arrays) -> Booleans:
        """Returns which rows are of the model's shapes and dtypes, and of possible values."""
        outputs = _projected(self._model.outputs(cache, self.version))
        fit = projections.keys() == outputs.keys() and all(
            outputs[name].takes(one) for name, one in projections.items()
        )
        if not fit:
            if found.any():
                self._unfit.add((cache, tag))
            return np.zeros_like(found)
        usable = found.copy()
        for one in projections.values():
            if one.dtype.kind == "f":
                usable &= (np.abs(one.reshape(len(one), -1)) <= _LARGEST).all(axis=1)
        return usable

    def _compute(self, cache: str, wanted: Booleans) -> str:
        """Has the model compute items, keeps them in the store, and returns their tag."""
        signature = self._model.signatures(self.version).get(cache, {})
        if not signature:
            raise CachedPathUnavailableError(f"the model has no signature {cache}")
        if lacking := signature.keys() - self._items.keys():
            raise CachedPathUnavailableError(
                f"{cache} needs {sorted(lacking)} of items that the cache lacks"
            )
        rows = np.flatnonzero(wanted)
        chunks = np.split(rows, range(self._items_per_call, len(rows), self._items_per_call))
        inputs = [
            {name: self._items[name][chunk].astype(dtype) for name, dtype in signature.items()}
            for chunk in chunks
        ]
        answers = self._model.call_each(cache, inputs, self.version)
        self._counts.add(f"{cache}.calls", len(answers))
        self.version = answers[0].version
        _check(cache, answers, chunks, self._model.outputs(cache, self.version))
        tag, projections = _concatenated(answers, names.CACHES[cache])
        if (cache, tag) in self._unfit:
            # What is kept under this tag is not of this model, whatever the tag says.
            self._store.drop(cache, tag)
            self._unfit.remove((cache, tag))
        self._store.put(cache, tag, self._item_ids[rows], projections)
        self._write(rows, projections)
        return tag

    def _write(self, rows: Integers, projections: Arrays) -> None:
        for name, value in projections.items():
            if name not in self._columns:
                shape = (len(self._item_ids), *value.shape[1:])
                self._columns[name] = np.zeros(shape, value.dtype)
            self._columns[name][rows] = value


def projected_items(batch: Arrays, wanted: Sequence[str]) -> Arrays:
    """Returns each item of padded requests once, with what a projection signature takes.

    Args:
      batch: padded requests.
      wanted: the signature's inputs: `item_ids`, or vectors.

    Returns:
      `item_ids` `[N]`, ascending, and every vector that was wanted `[N, M]`. A vector that the
      requests do not carry is left out.
    """

    def flat(keys: Iterable[str]) -> Array:
        values = zip(keys, ITEM_AXES, strict=True)
        return np.concatenate([batch[key][batch[axis.mask]] for key, axis in values])

    unique, first = np.unique(flat(axis.item_id for axis in ITEM_AXES), return_index=True)
    items = {names.ITEM_IDS: unique}
    for name in wanted:
        keys = [axis.feature(name) for axis in ITEM_AXES]
        if name != names.ITEM_IDS and batch.keys() >= set(keys):
            items[name] = flat(keys)[first]
    return items


def _projected(outputs: Mapping[str, Output]) -> dict[str, Output]:
    """Returns the outputs of a projection signature without the tag."""
    return {name: one for name, one in outputs.items() if name not in names.CACHES.values()}


def _check(
    cache: str,
    answers: Sequence[Answer],
    chunks: Sequence[Integers],
    outputs: Mapping[str, Output],
) -> None:
    """Refuses answers that are not what the signature says, of the items that were sent."""
    for answer, chunk in zip(answers, chunks, strict=True):
        received = answer.outputs
        if received.keys() != outputs.keys() or not all(
            outputs[name].takes(one) and len(one) == len(chunk) for name, one in received.items()
        ):
            described = {name: (one.dtype.name, one.shape) for name, one in received.items()}
            raise UnexpectedAnswerError(
                f"{cache}: received {described} for {len(chunk)} items, expected {dict(outputs)}."
            )
    tags = {bytes(one) for answer in answers for one in answer.outputs[names.CACHES[cache]]}
    if len(tags) != 1 or not all(tag.isascii() and tag for tag in tags):
        raise UnexpectedAnswerError(f"{cache}: expected one tag, received {sorted(tags)}.")


def _concatenated(answers: Sequence[Answer], tag_name: str) -> tuple[str, Arrays]:
    """Returns the tag and the projections of answers of one version."""
    outputs = [answer.outputs for answer in answers]
    tag = outputs[0][tag_name][0].decode()
    projected = [name for name in outputs[0] if name != tag_name]
    return tag, {name: np.concatenate([one[name] for one in outputs]) for name in projected}
