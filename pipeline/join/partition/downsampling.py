"""Down-sampling: a share of the negatives of one label is kept, decided by hash.

A hash of user, item, time and request decides, so the same candidates are kept whatever the
partitions, the runner or the order of rows. Labels, behaviors and statistics are those of the
whole log: only records lack candidates.
"""

import dataclasses

import numpy as np

from features.ids import hashing
from features.schema import Downsampling
from pipeline.join.partition.running_statistics import RunningStatistics
from pipeline.join.partition.sequences import Requests
from pipeline.join.transport import summary

_RANGE = 1 << 62
_SALT = 0x646F776E
"""Sets this hash apart from those that choose partitions and draw negatives."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """What is kept of a partition's requests.

    Attributes:
      requests: those with a candidate left.
      split: `[Q]` the index of each one's split.
      statistics: of those requests, where there are any.
      counts: of the manifest; `dropped` counts candidates.
    """

    requests: Requests
    split: np.ndarray
    statistics: RunningStatistics | None
    counts: summary.Summary


def sample(
    rule: Downsampling,
    columns: dict[str, np.ndarray],
    requests: Requests,
    split: np.ndarray,
    sampled_split: int,
    statistics: RunningStatistics | None,
) -> Sample:
    """Leaves out most negatives of one split, and requests of which nothing is left.

    Args:
      rule: of which label, and the share to keep.
      columns: `[E]` events of the partition, by column.
      requests: of those events.
      split: `[Q]` the index of each request's split.
      sampled_split: the index of the only split that is sampled.
      statistics: of all requests.
    """
    order = requests.order
    inside = np.repeat(split == sampled_split, np.diff(requests.starts))
    negative = inside & (columns[f"label_{rule.label}"][order] == 0)
    kept = ~negative | keeps(rule.rate, *(columns[name][order] for name in _KEY))
    # Requests of 2 and 1 candidates of which the last two go: `before` is 0 1 1 1, `ends` are
    # 0 1 1, so the first request has one candidate and the second has none.
    before = np.append(0, np.cumsum(kept))
    ends = before[requests.starts]
    left = np.diff(ends) > 0
    fewer = dataclasses.replace(
        requests,
        order=order[kept],
        starts=np.append(0, ends[1:][left]),
        **{name: getattr(requests, name)[left] for name in _OF_REQUEST},
    )
    if statistics is not None:
        statistics = dataclasses.replace(
            statistics,
            candidates=statistics.candidates[kept],
            requests=statistics.requests[left],
        )
    dropped = int((~kept).sum())
    others = [
        name for name in columns if name.startswith("label_") and name != f"label_{rule.label}"
    ]
    counts: summary.Summary = {
        "dropped": {"downsampled": dropped},
        "downsampling": {
            "negatives": int(negative.sum()),
            "kept": int(negative.sum()) - dropped,
            "requests_dropped": int((~left).sum()),
            "positives": {
                name.removeprefix("label_"): int(columns[name][order][negative].sum())
                for name in others
            },
        },
    }
    return Sample(fewer, split[left], statistics, counts)


def keeps(
    rate: float, user: np.ndarray, item: np.ndarray, time: np.ndarray, request: np.ndarray
) -> np.ndarray:
    """Returns which candidates the hash keeps, `[N]` bool, from `[N]` int64 each."""
    key = hashing.combine(hashing.combine(hashing.combine(user, item), time), request)
    return hashing.combine(key, np.full(len(key), _SALT)) < rate * _RANGE


_KEY = ("user", "item", "time", "request")
_OF_REQUEST = ("first", "user", "request", "time", "history_start", "history_end")
