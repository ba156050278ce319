"""The calls that a new version is warmed up with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.records.requests import Arrays
from features.schema import CANDIDATES
from serving_signatures import names
from serving_signatures.export import parity_process, warmup
from serving_signatures.export.sample_requests import encode_batch, sample_requests
from serving_signatures.export.served_requests import ServedRequests, ServedSize
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions.loaded_version import call as answer
from serving_signatures.versions.loaded_version import inputs_of

CANDIDATES_UNASKED = 16
"""C where no log says which sizes to expect."""

_SEED = 20251011

_Calls = list[tuple[str, Arrays]]


class WarmupCalls:
    """One call per signature and allowed batch size, and more where a log says which.

    The scoring signatures that clients call are warmed up with the sizes and values of requests
    that were served, as far as number and bytes allow. What a log does not have is drawn: values
    that were redacted, and projections, which are this version's own.

    Args:
      signatures: of the version.
      embeddings: embedding set by modality that lies inside.
      items: `[N]` int64 items to draw from.
      batch_sizes: allowed R.
    """

    def __init__(
        self,
        signatures: ServingSignatures,
        embeddings: Mapping[str, EmbeddingSet],
        items: np.ndarray,
        batch_sizes: Sequence[int],
    ) -> None:
        self._signatures = signatures
        self._embeddings = embeddings
        self._items = items
        self._batch_sizes = batch_sizes
        self._functions = signatures.functions

    def calls(self, served: ServedRequests | None = None) -> tuple[_Calls, list[dict[str, Any]]]:
        """Returns the calls, and JSON values of the served sizes that are among them.

        Args:
          served: requests of a log, or None.
        """
        found: _Calls = []
        sizes = []
        covered: set[int] = set()
        left = warmup.MAXIMUM_BYTES
        for one in served.sizes if served else ():
            taken = []
            for requests in self._batch_sizes:
                scoring = self._served(one, requests)
                size = sum(value.nbytes for _, inputs in scoring for value in inputs.values())
                # As many again may be needed for each batch size and signature.
                unasked = len(self._batch_sizes) * len(self._functions)
                if len(found) + len(scoring) + unasked > warmup.MAXIMUM_RECORDS or size > left:
                    logging.info(
                        "Warm-up: no record of %d requests of %d candidates and %d behaviors: more "
                        "than %d records or %d MiB in all.",
                        *(requests, one.candidates, one.behaviors),
                        *(warmup.MAXIMUM_RECORDS, warmup.MAXIMUM_BYTES >> 20),
                    )
                elif scoring:
                    found += scoring
                    left -= size
                    taken.append(requests)
            if taken:
                covered |= set(taken)
                place = {"candidates": one.candidates, "behaviors": one.behaviors}
                sizes.append({**place, "batch_sizes": taken, "why": one.why})
        for requests in self._batch_sizes:
            found += self._unasked(requests, requests in covered)
        return found, sizes

    def _unasked(self, requests: int, is_covered: bool) -> _Calls:
        """Returns calls with values that are drawn, of every signature that no log covers."""
        schema = self._signatures.schema
        shape = (requests, CANDIDATES_UNASKED, schema.history_length)
        batch = sample_requests(schema, self._items, self._embeddings, shape, _SEED)
        inputs = inputs_of(self._functions[names.SCORE_REQUEST], batch)
        examples = np.array(encode_batch(schema, batch), object)
        found: _Calls = [(names.SERVING_DEFAULT, {names.EXAMPLES: examples})]
        if not is_covered:
            found += self._scoring(inputs)
        if names.SCORE_CACHED in self._functions:
            of_items = parity_process.projection_inputs(inputs, CANDIDATES.prefix)
            for name, arrays in of_items.items():
                found.append((name, {key: value[:requests] for key, value in arrays.items()}))
        return found

    def _served(self, one: ServedSize, requests: int) -> _Calls:
        """Returns calls of served requests, none where the version refuses them."""
        shape = (requests, one.candidates, one.behaviors)
        try:
            self._signatures.bound.check(*shape)
            batch = sample_requests(
                self._signatures.schema, self._items, self._embeddings, shape, _SEED
            )
            for name, values in one.inputs.items():
                if name in batch:
                    batch[name] = values[np.arange(requests) % len(values)]
            inputs = inputs_of(self._functions[names.SCORE_REQUEST], batch)
            answer(self._functions[names.SCORE_REQUEST], inputs)
            return self._scoring(inputs)
        except (UserInputError, tf.errors.InvalidArgumentError) as error:
            logging.info("Warm-up: no record of %s: %s", shape, str(error).splitlines()[0])
            return []

    def _scoring(self, inputs: Arrays) -> _Calls:
        """Returns the calls that clients make with some requests."""
        found: _Calls = [(names.SCORE_REQUEST, inputs)]
        if names.SCORE_CACHED in self._functions:
            cached = parity_process.cached_inputs(self._functions, inputs)
            found.append((names.SCORE_CACHED, cached))
        return found
