"""Candidates whose rows disagree on a label: one item in one request, positive and negative."""

import numpy as np

from features.ids import hashing
from pipeline.join.inputs.duplicates import run_starts


def count(
    user: np.ndarray, item: np.ndarray, request: np.ndarray, labels: dict[str, np.ndarray]
) -> dict[str, int]:
    """Returns by label how many items of a request have rows of both values.

    >>> one, item, request = np.array([5, 5, 5]), np.array([7, 7, 7]), np.array([1, 1, 2])
    >>> count(one, item, request, {"click": np.array([0, 1, 1])})
    {'click': 1}

    Args:
      user: `[E]` ids.
      item: `[E]` ids of candidates.
      request: `[E]` ids of requests, which users may share.
      labels: `[E]` 0 or 1 by label.

    Returns:
      Counts above 0.
    """
    # Mixed before each sum, or user 1 with request 5 would be user 2 with request 4.
    key = hashing.mix(user.view(np.uint64))
    for ids in (request, item):
        key = hashing.mix(key + ids.view(np.uint64))
    # Sorting the keys alone is fast, and in most logs no item is twice in a request.
    ordered = np.sort(key)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if not repeated.size:
        return {}
    rows = np.flatnonzero(np.isin(key, repeated))
    rows = rows[np.argsort(key[rows], kind="stable")]
    starts = np.flatnonzero(run_starts(key[rows]))
    found = {}
    for label, values in labels.items():
        ordered_values = values[rows]
        lowest = np.minimum.reduceat(ordered_values, starts)
        highest = np.maximum.reduceat(ordered_values, starts)
        found[label] = int((lowest != highest).sum())
    return {label: n for label, n in found.items() if n}
