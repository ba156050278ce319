"""Where a client keeps cached projections.

`LruProjectionStore` keeps rows of arrays, so that looking up a thousand items is one gather per
projection; cache libraries keep one object per item.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from features.arrays import Array, Booleans, Integers
from features.records.requests import Arrays


class ProjectionStoreError(RuntimeError):
    """A store does not answer; the client then scores without it."""


class ProjectionStore(Protocol):
    """Projections by cache, tag and item; a cache is named after the signature that fills it.

    N items. A tag is part of every key, so projections of two models never meet.
    """

    def tag(self, cache: str) -> str | None:
        """Returns the tag of the newest entries, None if there are none."""

    def get(self, cache: str, tag: str, item_ids: Integers) -> tuple[Booleans, Arrays]:
        """Looks items up.

        Args:
          cache: its name.
          tag: of the model.
          item_ids: `[N]` int64.

        Returns:
          Which items are known, `[N]` bool; and each projection `[N, ...]` by name, with
          undefined rows where the item is unknown. Without a known item the names may be missing.
        """

    def put(
        self, cache: str, tag: str, item_ids: Integers, projections: Mapping[str, Array]
    ) -> None:
        """Keeps projections `[N, ...]` of items `[N]`; afterwards `tag` returns this tag."""

    def drop(self, cache: str, tag: str) -> None:
        """Forgets all that is kept under a tag."""


class LruProjectionStore:
    """Keeps the most recently used projections in this process; safe to use from many threads.

    Args:
      max_items: entries per cache and tag; their memory is reserved, and used as it fills.
      max_tags: tags per cache, so that two versions can be served side by side.
    """

    def __init__(self, max_items: int = 100_000, max_tags: int = 2) -> None:
        if max_items < 1 or max_tags < 1:
            raise ValueError(
                f"max_items and max_tags must be >= 1, received {max_items} and {max_tags}."
            )
        self._max_items = max_items
        self._max_tags = max_tags
        self._lock = threading.Lock()
        self._tables: dict[str, OrderedDict[str, _Table]] = {}

    def tag(self, cache: str) -> str | None:
        """Returns the tag that was written last."""
        with self._lock:
            return next(reversed(self._tables.get(cache, OrderedDict())), None)

    def get(self, cache: str, tag: str, item_ids: Integers) -> tuple[Booleans, Arrays]:
        """Looks items up."""
        with self._lock:
            table = self._tables.get(cache, OrderedDict()).get(tag)
            if table is None:
                return np.zeros(len(item_ids), bool), {}
            return table.get(item_ids)

    def put(
        self, cache: str, tag: str, item_ids: Integers, projections: Mapping[str, Array]
    ) -> None:
        """Keeps projections, in place of the least recently used."""
        with self._lock:
            tables = self._tables.setdefault(cache, OrderedDict())
            if tag not in tables:
                tables[tag] = _Table(self._max_items, projections)
            tables.move_to_end(tag)
            while len(tables) > self._max_tags:
                tables.popitem(last=False)
            tables[tag].put(item_ids, projections)

    def drop(self, cache: str, tag: str) -> None:
        """Forgets all that is kept under a tag."""
        with self._lock:
            self._tables.get(cache, OrderedDict()).pop(tag, None)

    def __len__(self) -> int:
        """How many entries there are."""
        with self._lock:
            return sum(len(one) for tables in self._tables.values() for one in tables.values())


class _Table:
    """Rows of arrays, and the place of each item's row, in order of use."""

    def __init__(self, rows: int, projections: Mapping[str, Array]) -> None:
        self._rows = rows
        self._places: OrderedDict[int, int] = OrderedDict()
        self._columns = {
            name: np.zeros((rows, *value.shape[1:]), value.dtype)
            for name, value in projections.items()
        }

    def __len__(self) -> int:
        return len(self._places)

    def get(self, item_ids: Integers) -> tuple[Booleans, Arrays]:
        places = np.array([self._places.get(item, -1) for item in item_ids.tolist()], np.int64)
        known = places >= 0
        for item in item_ids[known].tolist():
            self._places.move_to_end(item)
        return known, {name: column[places] for name, column in self._columns.items()}

    def put(self, item_ids: Integers, projections: Mapping[str, Array]) -> None:
        kept = slice(max(len(item_ids) - self._rows, 0), None)
        places = [self._place(item) for item in item_ids[kept].tolist()]
        for name, column in self._columns.items():
            column[places] = projections[name][kept]

    def _place(self, item: int) -> int:
        place = self._places.pop(item, None)
        if place is None:
            full = len(self._places) == self._rows
            place = self._places.popitem(last=False)[1] if full else len(self._places)
        self._places[item] = place
        return place
