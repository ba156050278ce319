"""Counts of what a client did."""

import collections
import threading


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
