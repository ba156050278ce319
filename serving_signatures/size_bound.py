"""The largest call that a version answers, checked in the graph before anything large is made.

A tensor of a request may have any shape and one value, which is repeated: 467 bytes ask for a
million candidates.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from features.errors import UserInputError
from features.records import example
from serving_signatures import call_size, names

_RECORD_BYTES = 4
"""Bytes of records per pair, besides the byte of each modality's similarity code."""


@dataclasses.dataclass(frozen=True)
class SizeBound:
    """The largest call; `call_size` says what a call counts as.

    Attributes:
      max_pairs: the most that a call may count as.
      histograms: of a candidate, modalities times behavior types.
    """

    max_pairs: int
    histograms: int

    def check(self, requests: int, candidates: int, behaviors: int) -> None:
        """Checks that an export's own call is within the bound.

        Raises:
          UserInputError: it is not.
        """
        count = call_size.pairs(requests, candidates, behaviors, self.histograms)
        if count > self.max_pairs:
            raise UserInputError(
                f"{call_size.FLAG} {self.max_pairs} is too small: the gate and the warm-up call "
                f"the version with {requests} requests of {candidates} candidates and {behaviors} "
                f"behaviors, which count as {count}. Give at least {count}."
            )

    def require(
        self, inputs: str, requests: tf.Tensor, candidates: tf.Tensor, behaviors: tf.Tensor
    ) -> tf.Operation:
        """Fails unless a call is within the bound.

        Args:
          inputs: names of those that have the sizes.
          requests: R, a scalar.
          candidates: C.
          behaviors: L.
        """
        # Floats do not overflow. A call of no requests costs what its other sizes do.
        sizes = [tf.cast(size, tf.float64) for size in (requests, candidates, behaviors)]
        count = call_size.pairs(tf.maximum(sizes[0], 1.0), sizes[1], sizes[2], self.histograms)
        units = (" requests of ", " candidates and ", " behaviors")
        received = [
            text for size, unit in zip(sizes, units, strict=True) for text in (_digits(size), unit)
        ]
        return self._assert(count, inputs, received)

    def require_items(self, name: str, items: tf.Tensor) -> tf.Operation:
        """Fails unless a call of a projection signature is within the bound.

        Args:
          name: of an input `[N, ...]`.
          items: N, a scalar.
        """
        items = tf.cast(items, tf.float64)
        return self._assert(call_size.EACH * items, name, [_digits(items), " items"])

    def records(self, records: tf.Tensor, modalities: int) -> tf.Tensor:
        """Returns serialized records `[R]` after checks of what parsing them would take.

        Args:
          records: as the join writes them.
          modalities: how many similarity codes they have per pair.
        """
        total = tf.reduce_sum(tf.cast(tf.strings.length(records), tf.float64))
        count = total / (_RECORD_BYTES + modalities)
        check = self._assert(count, names.EXAMPLES, ["records of ", _digits(total), " bytes"])
        with tf.control_dependencies([check]):
            candidates, behaviors = example.longest(tf.identity(records))
        requests = tf.size(records, tf.int64)
        check = self.require(names.EXAMPLES, requests, candidates, behaviors)
        with tf.control_dependencies([check]):
            return tf.identity(records)

    def _assert(
        self, count: tf.Tensor, inputs: str, received: Sequence[str | tf.Tensor]
    ) -> tf.Operation:
        message = [
            f"{inputs}: expected at most {self.max_pairs} pairs per call, received ",
            *received,
            ", which count as ",
            _digits(count),
            f". Send less per call, or export with a larger {call_size.FLAG}.",
        ]
        return tf.debugging.Assert(count <= self.max_pairs, [tf.strings.join(message)])


def _digits(number: tf.Tensor) -> tf.Tensor:
    return tf.strings.as_string(number, precision=0)
