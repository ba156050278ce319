"""Counts by time: the buckets' width, and the counts as JSON."""

from collections.abc import Mapping
from typing import Any

from pipeline.join.inputs import event_batches

SECOND = 1_000_000
"""Microseconds."""

LATEST = event_batches.LATEST * SECOND
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

    Args:
      first: the earliest time, microseconds.
      last: the latest.

    Returns:
      Microseconds; bucket b begins at `b * width` after 1970.
    """
    for seconds in _WIDTHS:
        size = seconds * SECOND
        if last // size - first // size < _MOST:
            return size
    return _WIDTHS[-1] * SECOND


def timeline(
    size: int, counts: Mapping[int, tuple[int, Mapping[str, tuple[int, int]]]]
) -> dict[str, Any]:
    """Returns counts by bucket as JSON, buckets without an event included.

    Args:
      size: the buckets' width, microseconds.
      counts: by bucket: events, and by label how many of them have it and how many positively.

    Returns:
      `width` and `buckets`: `start` (microseconds), `events`, and `labels` by name with `known`
      and `positives`.
    """
    if not counts:
        return {"width": size, "buckets": []}
    labels = next(iter(counts.values()))[1].keys()
    nothing: tuple[int, dict[str, tuple[int, int]]] = (0, dict.fromkeys(labels, (0, 0)))
    buckets = []
    for bucket in range(min(counts), max(counts) + 1):
        events, by_label = counts.get(bucket, nothing)
        buckets.append(
            {
                "start": bucket * size,
                "events": int(events),
                "labels": {
                    label: {"known": int(known), "positives": int(positives)}
                    for label, (known, positives) in by_label.items()
                },
            }
        )
    return {"width": size, "buckets": buckets}
