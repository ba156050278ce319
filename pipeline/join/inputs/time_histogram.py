"""A histogram of the log's timestamps, from which the global cut times follow."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from pipeline.join.inputs.duplicates import run_starts
from pipeline.join.rules import splits

_LARGEST = 1_000_000


@dataclasses.dataclass(frozen=True)
class TimeHistogram:
    """Counts of timestamps.

    The level depends on the timestamps alone, not on the order of merging: it is the
    smallest at which all of them fit, and no part needs a larger one than the whole.

    Attributes:
      level: times are rounded down to multiples of `2 ** level` microseconds.
      times: `[N]` int64, ascending, microseconds shifted right by `level`.
      counts: `[N]` int64.
    """

    level: int
    times: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, timestamps: np.ndarray, largest: int = _LARGEST) -> "TimeHistogram":
        """Counts `[N]` timestamps.

        At level 0 the times 9 8 9 are the times 8 9 with counts 1 2; at level 1 the time 4 with
        count 3.
        """
        times, counts = np.unique(timestamps, return_counts=True)
        return cls(0, times, counts)._coarsened(largest)

    def cut_times(self, fractions: tuple[float, ...]) -> tuple[int, int]:
        """Returns the microsecond at which validation begins and at which test begins."""
        if not self.times.size:
            return splits.END, splits.END
        ends = np.cumsum(self.counts)
        bounds = splits.fraction_bounds(fractions, int(ends[-1]))
        cuts = []
        for bound in bounds:
            index = np.searchsorted(ends, bound, side="right")
            beyond = index == len(self.times)
            cuts.append(splits.END if beyond else int(self.times[index]) << self.level)
        return cuts[0], cuts[1]

    def _coarsened(self, largest: int) -> "TimeHistogram":
        level, times, counts = self.level, self.times, self.counts
        while len(times) > largest:
            level += 1
            times, counts = _sum_equal(times >> 1, counts)
        return TimeHistogram(level, times, counts)


def merge_all(histograms: Iterable[TimeHistogram], largest: int = _LARGEST) -> TimeHistogram:
    """Adds histograms up; the result does not depend on their order."""
    parts = list(histograms)
    level = max((part.level for part in parts), default=0)
    empty = np.zeros(0, np.int64)
    times = np.concatenate([empty, *(part.times >> (level - part.level) for part in parts)])
    counts = np.concatenate([empty, *(part.counts for part in parts)])
    return TimeHistogram(level, *_sum_equal(times, counts))._coarsened(largest)


def _sum_equal(times: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Times are a few ascending runs, which a stable sort merges.
    order = np.argsort(times, kind="stable")
    times = times[order]
    starts = np.flatnonzero(run_starts(times))
    return times[starts], np.add.reduceat(counts[order], starts) if len(starts) else counts
