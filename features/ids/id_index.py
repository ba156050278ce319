"""Ids in buckets by their hash, so that one is found by looking at a few, not by bisection.

The NumPy half; `in_graph.indexed_positions` is the look-up.
"""

import dataclasses

import numpy as np

from features.ids import hashing


@dataclasses.dataclass(frozen=True)
class IdIndex:
    """A hash index over N distinct ids, which are to be kept in its order.

    Ids of one bucket stand together, so the index is one number a bucket. Any `longest` ids from
    a bucket's start on hold all of the bucket: a look-up compares that many.

    Attributes:
      order: `[N]` int64, the positions of the ids, bucket after bucket, ascending within each.
      starts: `[B]` int32, from where on to look for the ids of a bucket, at most `N - longest`;
        B is a power of two.
      longest: the most ids in a bucket.
    """

    order: np.ndarray
    starts: np.ndarray
    longest: int


def index(ids: np.ndarray) -> IdIndex:
    """Indexes ids in about as many buckets; the same ids give the same index.

    Args:
      ids: `[N]` int64, distinct, N >= 1.

    Raises:
      ValueError: there is no id, or one appears twice.
    """
    if not len(ids):
        raise ValueError("There is no id to index.")
    bits = max(1, (len(ids) - 1).bit_length())
    bucket = hashing.multiplicative(ids, bits)
    order = np.lexsort((ids, bucket))
    if np.any(np.diff(ids[order]) == 0):
        raise ValueError("ids must be distinct.")
    counts = np.bincount(bucket, minlength=1 << bits)
    longest = int(counts.max())
    starts = np.minimum(np.cumsum(counts) - counts, len(ids) - longest)
    return IdIndex(order, starts.astype(np.int32), longest)
