"""Similarity codes of a block of records, by matrix products small enough to stay in the cache."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from features.embeddings import similarity
from features.embeddings.embedding_set import EmbeddingSet
from pipeline.join.rules import splits

_PRODUCT_CANDIDATES = 96
_PRODUCT_BEHAVIORS = 1024


class Window:
    """A block's candidates and behaviors.

    Positions are relative to the block's two ranges.

    Attributes:
      candidates: the block's range of candidates.
      behaviors: the block's range of behaviors.
      low: `[records]` first candidate.
      high: `[records]` one past the last.
      start: `[records]` first behavior.
      end: `[records]` one past the last.
      time: `[records]` microseconds.
      width: `[records]` behaviors.
      record: `[c]` the record of each candidate, records one after another.
      candidate: `[c]` its position.
      pair_offsets: `[records + 1]` where each record's pairs begin.
    """

    def __init__(
        self,
        low: np.ndarray,
        high: np.ndarray,
        start: np.ndarray,
        end: np.ndarray,
        time: np.ndarray,
    ):
        self.candidates = slice(int(low[0]), int(high[-1]))
        self.behaviors = slice(int(start[0]), int(end.max()))
        self.low, self.high = low - low[0], high - low[0]
        self.start, self.end = start - start[0], end - start[0]
        self.time, self.width = time, end - start
        # Two records with candidates 10:12 and 12:13 and 3 and 1 behaviors: `shown` is 2 1,
        # `pair_offsets` is 0 6 7, `record` is 0 0 1, `candidate` is 0 1 2.
        shown = high - low
        self.pair_offsets = np.append(0, np.cumsum(shown * self.width))
        self.record = np.repeat(np.arange(len(low)), shown)
        first = np.cumsum(shown) - shown
        self.candidate = np.arange(len(self.record)) + (self.low - first)[self.record]

    @functools.cached_property
    def products(self) -> list[slice]:
        """The records whose codes are computed together, so that a product stays small."""
        high, end = self.high.tolist(), self.end.tolist()
        low, start = self.low.tolist(), self.start.tolist()
        found, first = [], 0
        for record in range(1, len(low)):
            if (
                high[record] - low[first] > _PRODUCT_CANDIDATES
                or end[record] - start[first] > _PRODUCT_BEHAVIORS
            ):
                found.append(slice(first, record))
                first = record
        return [*found, slice(first, len(low))]


def codes(
    embeddings: EmbeddingSet, candidate_rows: np.ndarray, behavior_rows: np.ndarray, window: Window
) -> np.ndarray:
    """Returns the similarity codes of every record's pairs, records one after another.

    A code counts only where both embeddings are available at the record's time.

    Args:
      embeddings: of one modality.
      candidate_rows: `[candidates]` rows of the embedding set, of the window's candidates.
      behavior_rows: `[behaviors]` of its behaviors.
      window: which pairs there are.

    Returns:
      `[pairs]` uint8.
    """
    shown, seen = _Side.of(embeddings, candidate_rows), _Side.of(embeddings, behavior_rows)
    late = shown.late(window.low, window.high, window.time)
    late |= seen.late(window.start, window.end, window.time)
    parts = (
        _product(embeddings.quantized, shown, seen, window, part, late[part].tolist())
        for part in window.products
    )
    return np.frombuffer(b"".join(itertools.chain.from_iterable(parts)), np.uint8)


class _Side(NamedTuple):
    """The items on one side of a block's products.

    Attributes:
      rows: `[N]` of the embedding set.
      norms: `[N]`.
      available_at: `[N]` microseconds.
    """

    rows: np.ndarray
    norms: np.ndarray
    available_at: np.ndarray

    @classmethod
    def of(cls, embeddings: EmbeddingSet, rows: np.ndarray) -> "_Side":
        """Looks rows up."""
        available_at = np.asarray(embeddings.available_at[rows])
        return cls(rows, np.asarray(embeddings.norms[rows]), available_at)

    def late(self, first: np.ndarray, last: np.ndarray, time: np.ndarray) -> np.ndarray:
        """Returns `[records]` bool: whether a record's range has one that comes after its time."""
        # An index of a range's end may be one past all; the range of an empty one is its start.
        padded = np.append(self.available_at, splits.BEGIN)
        latest = np.maximum.reduceat(padded, np.stack([first, last], axis=1).ravel())[::2]
        return np.asarray((latest > time) & (last > first))


def _product(
    quantized: np.ndarray,
    shown: _Side,
    seen: _Side,
    window: Window,
    part: slice,
    late: Sequence[bool],
) -> Iterator[bytes]:
    """Yields the codes of some of the window's records, by one matrix product."""
    low, high = window.low[part], window.high[part]
    start, end = window.start[part], window.end[part]
    candidates = slice(int(low[0]), int(high[-1]))
    behaviors = slice(int(start[0]), int(end.max()))
    # `[candidates, behaviors]` of all records of this part; each record cuts its rectangle out.
    matrix = similarity.codes(
        quantized.take(shown.rows[candidates], axis=0),
        shown.norms[candidates],
        quantized.take(seen.rows[behaviors], axis=0),
        seen.norms[behaviors],
    )
    for a, b, c, d, time, is_late in zip(
        low.tolist(),
        high.tolist(),
        start.tolist(),
        end.tolist(),
        window.time[part].tolist(),
        late,
        strict=True,
    ):
        codes = matrix[
            a - candidates.start : b - candidates.start, c - behaviors.start : d - behaviors.start
        ]
        if is_late:
            codes = codes.copy()
            codes[shown.available_at[a:b] > time] = similarity.UNKNOWN_CODE
            codes[:, seen.available_at[c:d] > time] = similarity.UNKNOWN_CODE
        yield codes.tobytes()
