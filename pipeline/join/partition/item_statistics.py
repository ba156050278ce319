"""What partitions ask of items, answered where all events of an item come together.

Users are spread over partitions, items over as many buckets. A partition sends each bucket what
its events add to the bucket's items and the moments before which it wants their sums; the bucket
sends back the sums in the order of the questions.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from features.ids import hashing
from pipeline.join.partition.cumulative_sums import CumulativeSums
from pipeline.join.partition.running_statistics import Additions, Questions
from pipeline.join.transport import array_bytes, spill


def mail(
    additions: Additions, questions: Questions, buckets: int, writer: spill.BlockWriter
) -> Iterator[tuple[int, spill.Block]]:
    """Yields what a partition sends each bucket; it asks of every item that it adds to.

    Args:
      additions: to items.
      questions: of items.
      buckets: items are spread over so many.
      writer: where blocks wait.
    """
    added, asked = (_by_bucket(one.ids, buckets) for one in (additions, questions))
    for number, (rows, wanted) in enumerate(zip(added, asked, strict=True)):
        if wanted.size:
            arrays = (
                additions.ids[rows],
                additions.times[rows],
                additions.values[rows],
                questions.ids[wanted],
                questions.times[wanted],
            )
            yield number, writer.put(array_bytes.to_bytes(arrays))


class AnswerQuestions(beam.DoFn):
    """From `(bucket, (partition, mail))` to `(partition, (bucket, answers))`.

    Args:
      folder: where blocks wait, None to leave them to the runner.
    """

    def __init__(self, folder: str | None):
        self._folder = folder

    def process(
        self, element: tuple[int, Iterable[tuple[int, spill.Block]]]
    ) -> Iterator[tuple[int, tuple[int, spill.Block]]]:
        """Yields one block a partition that asked."""
        bucket, received = element
        letters = [
            (partition, array_bytes.from_bytes(spill.read(block), 5))
            for partition, block in received
        ]
        ids, times, values = (
            np.concatenate([arrays[k] for _, arrays in letters]) for k in range(3)
        )
        # Of one instant the smaller is added first, so no order of partitions changes a sum.
        order = np.lexsort(values.T)
        sums = CumulativeSums(ids[order], times[order], values[order])
        with spill.BlockWriter(self._folder) as writer:
            answers = [
                (partition, (bucket, writer.put(array_bytes.to_bytes([sums.before(*arrays[3:])]))))
                for partition, arrays in letters
            ]
        yield from answers


def answers_of(
    blocks: Iterable[tuple[int, spill.Block]], questions: Questions, buckets: int, width: int
) -> np.ndarray:
    """Returns a partition's answers, `[N, W]` float64, in the order of its questions.

    Args:
      blocks: `(bucket, answers)` in any order.
      questions: as they were asked.
      buckets: items are spread over so many.
      width: W.
    """
    answers = np.zeros((len(questions.ids), width))
    asked = _by_bucket(questions.ids, buckets)
    for number, block in blocks:
        (answers[asked[number]],) = array_bytes.from_bytes(spill.read(block), 1)
    return answers


def _by_bucket(ids: np.ndarray, buckets: int) -> list[np.ndarray]:
    """Returns the positions of each bucket's ids, ascending."""
    bucket = hashing.bucket(ids, buckets)
    ends = np.cumsum(np.bincount(bucket, minlength=buckets))
    return np.split(np.argsort(bucket, kind="stable"), ends[:-1])
