"""Distances between distributions, which are JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial import distance

_REST = "(rest)"


def between(current: Mapping[str, float], baseline: Mapping[str, float]) -> float | None:
    """Returns the Jensen-Shannon distance, to base 2, of two distributions.

    >>> between({"a": 1, "b": 1}, {"a": 5, "b": 5}), between({"a": 1}, {"b": 1})
    (0.0, 1.0)

    Args:
      current: counts by value.
      baseline: the same; they need not have the same total.

    Returns:
      0 to 1, None where one of them is empty.
    """
    keys = sorted({*current, *baseline})
    counts = np.array([[one.get(key, 0) for key in keys] for one in (current, baseline)], float)
    totals = counts.sum(axis=1)
    if not totals.all():
        return None
    shares = counts / totals[:, None]
    if np.array_equal(*shares):
        return 0.0
    # Rounding may leave a tiny negative divergence of nearly equal distributions.
    return float(np.nan_to_num(distance.jensenshannon(*shares, base=2)))


def of_column(column: Mapping[str, Any]) -> dict[str, float]:
    """Returns the distribution of a column's most frequent values and of all others together.

    Args:
      column: of `pipeline.statistics.log.log_statistics`.
    """
    listed = {str(value): rows for value, rows in column["top"]}
    rest = column["rows"] - column["nulls"] - sum(listed.values())
    return {**listed, **({_REST: rest} if rest else {})}


def of_histogram(bins: Sequence[Sequence[float]]) -> dict[str, float]:
    """Returns a histogram's distribution by the bins' lower edges."""
    return {f"{low:.9g}": rows for low, _, rows in bins}


def of_activity(column: Mapping[str, Any]) -> dict[str, float]:
    """Returns the distribution of rows by the number of rows of their id."""
    return {str(least): rows for least, _, _, rows in column["rows_per_id"]}


def of_codes(codes: Sequence[int]) -> dict[str, float]:
    """Returns the distribution of known similarity codes."""
    return {str(code): count for code, count in enumerate(codes) if code and count}
