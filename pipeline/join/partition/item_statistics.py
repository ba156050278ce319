"""Sums of items across partitions, computed in the bucket where all events of an item meet.

Users are spread over partitions, items over buckets. A partition sends each bucket its additions
to the bucket's items and its queries, which are items and moments; the bucket returns the sums
before those moments in the order of the queries. In a data set of parts the bucket goes on from
what the part before left of its items.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from features.ids import hashing
from pipeline.join.partition.carried_sums import CarriedSums
from pipeline.join.partition.cumulative_sums import Additions
from pipeline.join.partition.running_statistics import SumQueries
from pipeline.join.transport import array_bytes, spill
from pipeline.join.transport.spill import SpilledBlock


def requests_by_bucket(
    additions: Additions,
    queries: SumQueries,
    waiting: np.ndarray,
    needed_from: int,
    buckets: int,
    writer: spill.BlockWriter,
) -> Iterator[tuple[int, SpilledBlock]]:
    """Yields what a partition sends each bucket.

    Args:
      additions: to items.
      queries: of items.
      waiting: `[N]` int64 items that a later part of the log will query.
      needed_from: microseconds; it will query no sums before earlier moments.
      buckets: how many buckets items are spread over.
      writer: where blocks wait.
    """
    by_bucket = (
        hashing.rows_by_bucket(ids, buckets) for ids in (additions.ids, queries.ids, waiting)
    )
    for number, (rows, wanted, later) in enumerate(zip(*by_bucket, strict=True)):
        if rows.size or wanted.size or later.size:
            arrays = (
                additions.ids[rows],
                additions.times[rows],
                additions.values[rows],
                queries.ids[wanted],
                queries.times[wanted],
                np.array([needed_from]),
            )
            yield number, writer.put(array_bytes.to_bytes(arrays))


class ItemBucket:
    """The sums of a bucket's items.

    Args:
      received: partitions and what `requests_by_bucket` sent, in any order.
      earlier: what an earlier part of the log left of the bucket's items.
    """

    def __init__(self, received: Iterable[tuple[int, SpilledBlock]], earlier: Additions):
        self._requests = [
            (partition, array_bytes.from_bytes(spill.read(block), 6))
            for partition, block in received
        ]
        self._earlier = earlier
        if self._requests:
            ids, times, values, asked = (
                np.concatenate([arrays[k] for _, arrays in self._requests]) for k in range(4)
            )
            # Of one instant the smaller is added first, so no order of partitions changes a sum.
            own = Additions(ids, times, values).taken(np.lexsort(values.T))
            self._sums = CarriedSums(earlier, own, asked)

    def answers(self, writer: spill.BlockWriter) -> Iterator[tuple[int, SpilledBlock]]:
        """Yields the sums that each partition queried.

        Args:
          writer: where blocks wait.
        """
        for partition, arrays in self._requests:
            yield partition, writer.put(array_bytes.to_bytes([self._sums.before(*arrays[3:5])]))

    def settled(self) -> Additions:
        """Returns what the next part goes on from."""
        if not self._requests:
            return self._earlier
        return self._sums.settled(min(int(arrays[5][0]) for _, arrays in self._requests))


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
    queried = hashing.rows_by_bucket(queries.ids, buckets)
    for number, block in blocks:
        (sums[queried[number]],) = array_bytes.from_bytes(spill.read(block), 1)
    return sums
