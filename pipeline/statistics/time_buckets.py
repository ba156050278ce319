"""Counts by time: the buckets' width, and the counts as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from features.tables import times

SECOND = 1_000_000
"""Microseconds."""

LATEST = times.LATEST * SECOND
"""2201-01-01; the join quarantines what is later, or before 1970."""

_MOST = 60
_DAY = 86_400
_WIDTHS = (
    *(1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600),
    *(_DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 28 * _DAY, 91 * _DAY, 182 * _DAY),
    *(365 * _DAY, 1825 * _DAY),
)


def width(first: int, last: int) -> int:
    """Returns the narrowest usual width with which at most 60 buckets hold a range.

    >>> width(0, 3600 * SECOND) // SECOND, width(0, 30 * 86_400 * SECOND) // SECOND
    (300, 86400)

    All are microseconds; bucket b begins at `b * width` after 1970.
    """
    sizes = [seconds * SECOND for seconds in _WIDTHS]
    return next((one for one in sizes if last // one - first // one < _MOST), sizes[-1])


def timeline(
    size: int, counts: Mapping[int, Mapping[str, Any]], labels: Sequence[str]
) -> dict[str, Any]:
    """Returns counts by bucket as JSON, buckets without an event included.

    Args:
      size: the buckets' width, microseconds.
      counts: by bucket: `events`, and `labels` by name with `known` and `positives`.
      labels: their names.

    Returns:
      `width` and `buckets`, each with its `start` (microseconds) and its counts.
    """
    nothing = {"events": 0, "labels": {label: {"known": 0, "positives": 0} for label in labels}}
    span = range(min(counts), max(counts) + 1) if counts else ()
    buckets = [{"start": bucket * size, **counts.get(bucket, nothing)} for bucket in span]
    return {"width": size, "buckets": buckets}
