"""Sums of items across partitions, computed in the bucket where all events of an item meet.

Users are spread over partitions, items over buckets. A partition sends each bucket its additions
to the bucket's items and its queries, which are items and moments; the bucket returns the sums
before those moments in the order of the queries.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from features.ids import hashing
from pipeline.join.partition.cumulative_sums import CumulativeSums
from pipeline.join.partition.running_statistics import Additions, SumQueries
from pipeline.join.transport import array_bytes, spill
from pipeline.join.transport.spill import SpilledBlock


def requests_by_bucket(
    additions: Additions, queries: SumQueries, buckets: int, writer: spill.BlockWriter
) -> Iterator[tuple[int, SpilledBlock]]:
    """Yields what a partition sends each bucket; it queries every item that it adds to.

    Args:
      additions: to items.
      queries: of items.
      buckets: how many buckets items are spread over.
      writer: where blocks wait.
    """
    added, queried = (_by_bucket(one.ids, buckets) for one in (additions, queries))
    for number, (rows, wanted) in enumerate(zip(added, queried, strict=True)):
        if wanted.size:
            arrays = (
                additions.ids[rows],
                additions.times[rows],
                additions.values[rows],
                queries.ids[wanted],
                queries.times[wanted],
            )
            yield number, writer.put(array_bytes.to_bytes(arrays))


def bucket_sums(
    received: Iterable[tuple[int, SpilledBlock]], writer: spill.BlockWriter
) -> Iterator[tuple[int, SpilledBlock]]:
    """Yields the sums that each partition queried of a bucket.

    Args:
      received: partitions and what `requests_by_bucket` sent, in any order.
      writer: where blocks wait.
    """
    requests = [
        (partition, array_bytes.from_bytes(spill.read(block), 5)) for partition, block in received
    ]
    ids, times, values = (np.concatenate([arrays[k] for _, arrays in requests]) for k in range(3))
    # Of one instant the smaller is added first, so no order of partitions changes a sum.
    order = np.lexsort(values.T)
    sums = CumulativeSums(ids[order], times[order], values[order])
    for partition, arrays in requests:
        yield partition, writer.put(array_bytes.to_bytes([sums.before(*arrays[3:])]))


def sums_of(
    blocks: Iterable[tuple[int, SpilledBlock]], queries: SumQueries, buckets: int, width: int
) -> np.ndarray:
    """Returns the sums that a partition queried, `[N, W]` float64, in the order of its queries.

    Args:
      blocks: buckets and their sums, in any order.
      queries: as they were sent.
      buckets: how many buckets items are spread over.
      width: W.
    """
    sums = np.zeros((len(queries.ids), width))
    queried = _by_bucket(queries.ids, buckets)
    for number, block in blocks:
        (sums[queried[number]],) = array_bytes.from_bytes(spill.read(block), 1)
    return sums


def _by_bucket(ids: np.ndarray, buckets: int) -> list[np.ndarray]:
    """Returns the positions of each bucket's ids, ascending."""
    # Three ids in buckets 1 0 1: counts are 1 2, ends 1 3, and the positions [1] and [0, 2].
    bucket = hashing.bucket(ids, buckets)
    ends = np.cumsum(np.bincount(bucket, minlength=buckets))
    return np.split(np.argsort(bucket, kind="stable"), ends[:-1])
