"""Scores requests by ids against TF Serving, or `pipeline.serve_local`, with caches or without."""

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import grpc
import numpy as np

from features.arrays import DType
from features.id_kinds import Kind
from features.ids.given_ids import GivenKind
from features.records import time_gaps
from features.records.requests import Arrays, PaddedSizes, RankingRequest, pad
from features.schema import HISTORY_MASK, HISTORY_TIME_GAP
from serving_signatures import names
from serving_signatures.client import deadlines
from serving_signatures.client.answer_errors import UnexpectedAnswerError
from serving_signatures.client.counts import ClientCounts, Durations, Histogram, Timed
from serving_signatures.client.projection_store import (
    LruProjectionStore,
    ProjectionStore,
    ProjectionStoreError,
)
from serving_signatures.client.projections import CachedPathUnavailableError, Projections
from serving_signatures.client.remote_model import Answer, CallLog, RemoteModel
from serving_signatures.client.scores import Scored, scored

_UNLOADED_CODES = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION)
"""The pinned version was unloaded, or the one that serves now has no split signatures."""


class RankingClient:
    """Builds requests from ids, and caches projections; safe to use from many threads.

        channel = open_channel("localhost:8500", timeout_seconds=0.2)
        client = RankingClient(RemoteModel(channel, "dmf"))
        scored = client.score_cached([RankingRequest(...)])

    Retries are the channel's, per call, and so are deadlines where the request has none.

    Args:
      model: what to call.
      store: keeps projections; None for an `LruProjectionStore`.
      sizes: what C and L are padded to.
      max_batch_size: TF Serving's; the most requests, and items to project, per call.
      item_kind: what the requests' item ids are, as the model was trained on: `integer`, `string`,
        or `fingerprint` for strings that the caller has hashed. None for what a `CatalogStore`'s
        caches say; without those, for integers or fingerprints. `item_kind_of` reads an export's.
      log: is offered the calls that score, such as a `RequestLog`; None for none.
      timeout_seconds: of a whole request, all of its calls together; None for the channel's, of
        each call.

    Raises:
      ValueError: the caches are of another kind of ids than `item_kind`, or an argument is out of
        its range.
    """

    def __init__(
        self,
        model: RemoteModel,
        store: ProjectionStore | None = None,
        sizes: PaddedSizes | None = None,
        max_batch_size: int = 8,
        item_kind: GivenKind | None = None,
        log: CallLog | None = None,
        timeout_seconds: float | None = None,
    ) -> None:
        if max_batch_size < 1:
            raise ValueError(f"max_batch_size must be at least 1, received {max_batch_size}.")
        self._model = model
        self._sizes = sizes or PaddedSizes()
        self._max_batch_size = max_batch_size
        self._log = log
        self._timeout_seconds = deadlines.checked(timeout_seconds)
        self._counts = ClientCounts()
        self._durations = Durations()
        self._store = LruProjectionStore() if store is None else store
        self._tags: dict[str, str] = {}
        self._item_kind = _agreed(item_kind, getattr(store, "item_kind", None))

    def counts(self) -> dict[str, int]:
        """Returns what happened so far.

        `<cache>.hits` and `<cache>.misses` in items, `<cache>.calls` of the projection signature,
        `<cache>.refusals` of a tag, `<cache>.damaged` in items that the store held and that were
        not used, and `fallbacks` to `score_request`. What model, store and log themselves count is
        added.
        """
        counts = self._counts.to_dict()
        for part in (self._model, self._store, self._log):
            if (of_part := getattr(part, "counts", None)) is not None:
                for name, count in of_part().items():
                    counts[name] = counts.get(name, 0) + count
        return counts

    def durations(self) -> Mapping[tuple[str, str], Histogram]:
        """Returns the durations of requests so far, by the method that was called and outcome.

        The outcome is a status code, or the class of an error that came before any call.
        """
        return self._durations.to_dict()

    def call_durations(self) -> Mapping[tuple[str, str], Histogram]:
        """Returns those of the model's calls, by signature and status code."""
        return self._model.durations()

    def score_request(
        self, requests: Sequence[RankingRequest], timeout_seconds: float | None = None
    ) -> Scored:
        """Scores requests by ids alone.

        Args:
          requests: at most `max_batch_size`.
          timeout_seconds: of all calls together; None for the client's.

        Raises:
          ValueError: a request lacks an input, is too large, has ids of another kind, or time gaps
            that cannot be.
          grpc.RpcError: the server refuses, or does not answer in time.
        """
        with Timed(self._durations, names.SCORE_REQUEST), self._within(timeout_seconds):
            return self._score_request(self._padded(requests))

    def score_cached(
        self, requests: Sequence[RankingRequest], timeout_seconds: float | None = None
    ) -> Scored:
        """Scores requests from cached projections, and fills the caches with what is missing.

        All calls are answered by one version, the one that answered first. Where the caches
        cannot be used, the model refuses a tag, or the version was unloaded meanwhile, the
        requests are scored by ids; the next ones are looked up under the model's own tag.

        Args:
          requests: at most `max_batch_size`.
          timeout_seconds: of all calls together, the one by ids included; None for the client's.

        Raises:
          ValueError: a request lacks an input, is too large, has ids of another kind, or time gaps
            that cannot be.
          grpc.RpcError: the server refuses for another reason, or does not answer in time.
        """
        with Timed(self._durations, names.SCORE_CACHED), self._within(timeout_seconds):
            return self._score_cached(self._padded(requests))

    def _within(self, timeout_seconds: float | None) -> AbstractContextManager[None]:
        given = deadlines.checked(timeout_seconds)
        return deadlines.within(self._timeout_seconds if given is None else given)

    def _score_cached(self, batch: Arrays) -> Scored:
        found: Projections | None = None
        try:
            found = Projections(
                self._model, self._store, self._counts, self._max_batch_size, batch, self._tags
            )
            answer = self._call_cached(batch, found)
            self._tags.update(found.tags)
            return scored(answer, batch, names.SCORE_CACHED)
        except (CachedPathUnavailableError, ProjectionStoreError):
            pass
        except grpc.RpcError as error:
            if not self._should_fall_back(error, found):
                raise
        self._counts.add("fallbacks")
        return self._score_request(batch)

    def _padded(self, requests: Sequence[RankingRequest]) -> Arrays:
        if len(requests) > self._max_batch_size:
            raise ValueError(
                f"Received {len(requests)} requests, expected at most {self._max_batch_size} "
                "(max_batch_size): split them."
            )
        batch = pad(requests, self._sizes, self._item_kind)
        _check_gaps(batch)
        return batch

    def _call_cached(self, batch: Arrays, found: Projections) -> Answer:
        specs = self._model.signatures(found.version).get(names.SCORE_CACHED)
        if specs is None:
            raise CachedPathUnavailableError("the model has no split signatures")
        inputs = _inputs({**batch, **found.inputs(specs)}, specs)
        return self._model.call(names.SCORE_CACHED, inputs, found.version, self._log)

    def _score_request(self, batch: Arrays) -> Scored:
        signatures = self._model.signatures()
        if names.SCORE_REQUEST not in signatures:
            raise UnexpectedAnswerError(
                f"Expected a model with the signature {names.SCORE_REQUEST}, as pipeline.export "
                f"writes it, received one with {sorted(signatures)}."
            )
        specs = signatures[names.SCORE_REQUEST]
        answer = self._model.call(names.SCORE_REQUEST, _inputs(batch, specs), log=self._log)
        return scored(answer, batch, names.SCORE_REQUEST)

    def _should_fall_back(self, error: grpc.RpcError, found: Projections | None) -> bool:
        """Whether an error is the cached path's own; learns the tags that the model expects."""
        if error.code() in _UNLOADED_CODES:
            return True
        if error.code() != grpc.StatusCode.INVALID_ARGUMENT or found is None:
            return False
        details = error.details() or ""
        refused = False
        for cache, tag in names.CACHES.items():
            expected = re.search(
                rf"{tag}: {names.OF_ANOTHER_MODEL}\. Expected\]? \[?([^]\s]+)", details
            )
            if expected is None:
                continue
            refused = True
            # A server that batches gives one status to all requests of a batch: where the model
            # expected our tag, it refused another client's.
            if expected[1] != found.tags[cache]:
                self._counts.add(f"{cache}.refusals")
                self._tags[cache] = expected[1]
        return refused or found.blamed(details)


def _agreed(given: GivenKind | None, of_caches: Kind | None) -> GivenKind | None:
    """Returns what ids are taken, after a look at what the caches were filled from."""
    hashed = "string" if given == "fingerprint" else given
    if hashed is not None and of_caches is not None and hashed != of_caches:
        raise ValueError(
            f"item_kind is {given!r}, but the catalog's caches are of {of_caches} ids: no item "
            "would be found. Leave item_kind out, or open the caches of this model."
        )
    return given or of_caches


def _check_gaps(batch: Arrays) -> None:
    """Refuses time gaps that the model would refuse, before anything is sent."""
    for row, mask in enumerate(batch[HISTORY_MASK]):
        problem = time_gaps.problem(batch[HISTORY_TIME_GAP][row][mask])
        if problem is not None:
            raise ValueError(f"{HISTORY_TIME_GAP} of request {row}: {problem}.")


def _inputs(batch: Arrays, specs: Mapping[str, DType]) -> Arrays:
    """Returns a signature's inputs, in its dtypes."""
    inputs = {}
    for name, dtype in specs.items():
        if name not in batch:
            raise ValueError(
                f"The model wants {name}, which the requests lack: give it in "
                f"RankingRequest.features. Received {sorted(batch)}."
            )
        value = batch[name]
        if not np.can_cast(value.dtype, dtype, "same_kind"):
            raise ValueError(
                f"{name}: expected {dtype.name}, received {value.dtype.name}. Strings go through "
                "features.ids.hashing.fingerprint_strings, as in the join."
            )
        inputs[name] = value.astype(dtype, copy=False)
    return inputs
