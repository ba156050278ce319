"""Counts of a join: nested dictionaries whose leaves add up, merged over bundles and partitions."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from features.errors import RetryError, UserInputError
from pipeline.runtime import exit_codes

Summary = dict[str, Any]


def merge(first: Summary, second: Summary) -> Summary:
    """Adds two summaries.

    >>> merge({"read": 1, "split": {"train": 2}}, {"read": 3, "split": {"test": 1}})
    {'read': 4, 'split': {'train': 2, 'test': 1}}

    Numbers and arrays add, lists are concatenated; other leaves, such as a shard's hash, must occur
    once.

    Raises:
      ValueError: a leaf that cannot be added occurs twice.
    """
    merged = dict(first)
    for key, value in second.items():
        if key not in merged:
            merged[key] = value
        elif isinstance(value, dict):
            merged[key] = merge(merged[key], value)
        elif isinstance(value, (int, list, np.ndarray)):
            merged[key] = merged[key] + value
        else:
            raise ValueError(f"{key!r} occurs twice: {merged[key]!r} and {value!r}.")
    return merged


def unreadable(error: UserInputError) -> Summary:
    """Returns the summary of what could not be read, for the job that ends with it."""
    code, text = exit_codes.of(error) or (exit_codes.USER_ERROR, str(error))
    return {"unreadable": {text: 1}, "unreadable_now": int(code == exit_codes.RETRY)}


def raise_unreadable(summary: Summary) -> None:
    """Ends a job that has left something unread.

    Raises:
      UserInputError: names the first of what could not be read, and how many more there are.
      RetryError: the same, where only disks failed for a moment.
    """
    texts = sorted(summary.get("unreadable", {}))
    if texts:
        count = len(texts) - 1
        more = f" {count} more place{'s' * (count > 1)} cannot be read." if count else ""
        passes = summary["unreadable_now"] == sum(summary["unreadable"].values())
        raise (RetryError if passes else UserInputError)(f"{texts[0]}{more}")


def counts_of(values: np.ndarray) -> dict[str, int]:
    """Returns how often each value occurs, by its decimal text.

    >>> counts_of(np.array([2, 2, 5]))
    {'2': 2, '5': 1}
    """
    distinct, counts = np.unique(values, return_counts=True)
    return {str(value): int(count) for value, count in zip(distinct, counts, strict=True)}


def plain(summary: Summary) -> Summary:
    """Returns the summary with arrays as lists, for JSON."""
    return {
        key: plain(value)
        if isinstance(value, dict)
        else value.tolist()
        if isinstance(value, np.ndarray)
        else value
        for key, value in summary.items()
    }


def merge_all(summaries: Iterable[Summary]) -> Summary:
    """Adds summaries up; the result does not depend on their order."""
    return functools.reduce(merge, summaries, {})
