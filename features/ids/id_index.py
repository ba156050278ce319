"""A hash index over ids, which finds an id by a few comparisons instead of bisection.

This module builds the index; `in_graph.indexed_positions` is the look-up.
"""

import dataclasses

import numpy as np

from features.arrays import Array, Integers
from features.ids import hashing


@dataclasses.dataclass(frozen=True)
class IdIndex:
    """A hash index over N distinct ids, which must be stored in its order.

    Ids of a bucket are adjacent, so the index is one number per bucket. A look-up compares the
    `longest` ids from its bucket's start on, which include all ids of the bucket. Example: ids 7,
    4 and 9 in the buckets 1, 0 and 1 of B = 2:

        order = [1, 0, 2]      stored ids: 4 | 7 9
        starts = [0, 1], longest = 2: a look-up in bucket 0 compares 4 and 7, in bucket 1, 7 and 9.

    Attributes:
      order: `[N]` int64, positions of the ids, sorted by bucket and within each by id.
      starts: `[B]` int32, position of the first id to compare per bucket, at most `N - longest`; B
        is a power of two.
      longest: number of ids in the largest bucket.
    """

    order: Integers
    starts: Array
    longest: int


def index(ids: Integers) -> IdIndex:
    """Indexes ids in about N buckets; the same ids give the same index.

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
    # The last buckets start earlier, so that a look-up never reads beyond the end.
    starts = np.minimum(np.cumsum(counts) - counts, len(ids) - longest)
    return IdIndex(order, starts.astype(np.int32), longest)
