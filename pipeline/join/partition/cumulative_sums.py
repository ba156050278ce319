"""Sums by id up to any moment.

Sums are float64 and begin anew with each id, so whole numbers are exact and other ids, or how
they are spread over workers, change nothing.
"""

import dataclasses
import itertools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Additions:
    """Additions to the sums of ids, `[N]` int64 twice and `[N, W]` float64.

    Attributes:
      ids: of the sums.
      times: microseconds; `splits.BEGIN` for all that an id had been added before.
      values: for each column.
    """

    ids: np.ndarray
    times: np.ndarray
    values: np.ndarray

    def taken(self, rows: np.ndarray) -> "Additions":
        """Returns those of some rows, by position or mask."""
        return Additions(self.ids[rows], self.times[rows], self.values[rows])

    def followed_by(self, other: "Additions") -> "Additions":
        """Returns these and others after them."""
        if not len(self.ids):
            return other
        return Additions(
            np.concatenate([self.ids, other.ids]),
            np.concatenate([self.times, other.times]),
            np.concatenate([self.values, other.values]),
        )


class CumulativeSums:
    """Sums of the values of an id strictly before a time.

    Ids 7 3 7 at times 10 10 20 with values 1 1 5 have, of 7 before 20, the sum 1.

    Args:
      ids: `[N]` int64.
      times: `[N]` int64; what is added at one time is added in its order here.
      values: `[N, W]` what is added.
    """

    def __init__(self, ids: np.ndarray, times: np.ndarray, values: np.ndarray):
        order = np.lexsort((times, ids))
        self._ids, starts = np.unique(ids[order], return_index=True)
        self._starts = np.append(starts, len(order))
        self._times, rank = np.unique(times, return_inverse=True)
        place = np.repeat(np.arange(len(self._ids)), np.diff(self._starts))
        # Id and time as one number, which sorts as the pair does.
        self._keys = self._key(place, rank[order])
        self._sums = _sums_by_run(np.asarray(values, np.float64)[order], self._starts)

    def before(self, ids: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Returns `[Q, W]` float64 sums, 0 for ids that are unknown.

        Args:
          ids: `[Q]` int64.
          times: `[Q]` int64; what was added at this time or later does not count.
        """
        if not self._ids.size:
            return np.zeros((len(ids), self._sums.shape[1]))
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        earlier = np.searchsorted(self._times, times, side="left")
        end = np.searchsorted(self._keys, self._key(place, earlier), side="left")
        found = (self._ids[place] == ids) & (end > self._starts[place])
        return np.where(found[:, None], self._sums[end - 1], 0.0)

    def _key(self, place: np.ndarray, rank: np.ndarray) -> np.ndarray:
        return place * (len(self._times) + 1) + rank


def _sums_by_run(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Returns `[N, W]` cumulative sums that begin anew at each of `starts`."""
    sums = np.empty_like(values)
    for start, end in itertools.pairwise(starts.tolist()):
        np.cumsum(values[start:end], axis=0, out=sums[start:end])
    return sums
