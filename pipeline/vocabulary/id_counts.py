"""Occurrences of ids as arrays, summed over bundles.

Beam's own counting has one Python element per id and shard, which is many times slower.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import apache_beam as beam
import numpy as np

from features.ids import hashing

_ADD_UP_AT = 1 << 20


@dataclasses.dataclass(frozen=True)
class IdCounts:
    """Occurrences of ids.

    Attributes:
      ids: `[N]` int64, ascending.
      counts: `[N]` int64, at least 1.
    """

    ids: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, ids: np.ndarray) -> "IdCounts":
        """Counts `[E]` ids."""
        distinct, counts = np.unique(ids, return_counts=True)
        return cls(distinct, counts.astype(np.int64))

    @classmethod
    def sum(cls, parts: Sequence["IdCounts"]) -> "IdCounts":
        """Sums any number of counts."""
        nothing = np.zeros(0, np.int64)
        distinct, inverse = np.unique(
            np.concatenate([nothing, *(part.ids for part in parts)]), return_inverse=True
        )
        totals = np.zeros(len(distinct), np.int64)
        np.add.at(totals, inverse, np.concatenate([nothing, *(part.counts for part in parts)]))
        return cls(distinct, totals)

    def __len__(self) -> int:
        return len(self.ids)

    def total(self) -> int:
        """Returns the occurrences of all ids."""
        return int(self.counts.sum())

    def at_least(self, minimum: int) -> "IdCounts":
        """Returns the ids with at least this many occurrences."""
        return self._where(self.counts >= minimum)

    def by_bucket(self, buckets: int) -> list["IdCounts"]:
        """Returns the ids of each bucket of their hash, `buckets` in all."""
        bucket = hashing.bucket(self.ids, buckets)
        return [self._where(bucket == number) for number in range(buckets)]

    def ranked(self) -> "IdCounts":
        """Returns the ids by descending count, and ties by ascending id."""
        return self._where(np.lexsort((self.ids, -self.counts)))

    def _where(self, selection: np.ndarray) -> "IdCounts":
        return IdCounts(self.ids[selection], self.counts[selection])


class SumIdCounts(beam.CombineFn):
    """Sums counts; the result does not depend on their order."""

    def create_accumulator(self) -> list[IdCounts]:
        return []

    def add_input(self, accumulator: list[IdCounts], element: IdCounts) -> list[IdCounts]:
        accumulator.append(element)
        # Summing once as many ids wait as are summed keeps time and memory within a factor of two.
        waiting = sum(map(len, accumulator[1:]))
        if waiting > max(_ADD_UP_AT, len(accumulator[0])):
            return [IdCounts.sum(accumulator)]
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[IdCounts]]) -> list[IdCounts]:
        return [part for parts in accumulators for part in parts]

    def compact(self, accumulator: list[IdCounts]) -> list[IdCounts]:
        return [IdCounts.sum(accumulator)]

    def extract_output(self, accumulator: list[IdCounts]) -> IdCounts:
        return IdCounts.sum(accumulator)
