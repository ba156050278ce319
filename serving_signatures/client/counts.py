"""Counts and durations of what a client did: one source for `counts` and for metrics."""

import bisect
import collections
import dataclasses
import threading
import time
from types import TracebackType

BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0),
)
"""Upper ends of a histogram's buckets, seconds; the last bucket has none."""


class ClientCounts:
    """Named counts; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: collections.Counter[str] = collections.Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Adds to a count."""
        with self._lock:
            self._counts[name] += count

    def to_dict(self) -> dict[str, int]:
        """Returns the counts so far, by name."""
        with self._lock:
            return dict(self._counts)


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Durations: how many in each bucket, and their sum in seconds."""

    counts: tuple[int, ...]
    seconds: float


class Durations:
    """Histograms by signature and outcome; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = collections.defaultdict(float)

    def add(self, signature: str, outcome: str, seconds: float) -> None:
        """Adds a duration."""
        key, bucket = (signature, outcome), bisect.bisect_left(BUCKETS, seconds)
        with self._lock:
            if key not in self._counts:
                self._counts[key] = [0] * (len(BUCKETS) + 1)
            self._counts[key][bucket] += 1
            self._seconds[key] += seconds

    def to_dict(self) -> dict[tuple[str, str], Histogram]:
        """Returns what was added so far, by signature and outcome."""
        with self._lock:
            return {
                key: Histogram(tuple(counts), self._seconds[key])
                for key, counts in self._counts.items()
            }


class Timed:
    """A block that is one duration; its outcome is OK, or what its error says.

    Args:
      durations: take it.
      signature: of the call.
      begin: `time.perf_counter` when it began; None for when the block is entered.
    """

    def __init__(self, durations: Durations, signature: str, begin: float | None = None) -> None:
        self._durations = durations
        self._signature = signature
        self._begin = begin

    def __enter__(self) -> None:
        if self._begin is None:
            self._begin = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - (self._begin or 0.0)
        self._durations.add(self._signature, _outcome(error), seconds)


def _outcome(error: BaseException | None) -> str:
    """Returns the status code of an error; the name of its class where it has none."""
    if error is None:
        return "OK"
    import grpc  # Counts alone do without.

    if isinstance(error, grpc.RpcError):
        return str(error.code().name)
    return type(error).__name__
