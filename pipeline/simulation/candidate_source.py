"""The items that a request shows: popular ones, ones of current interest, and random ones."""

import numpy as np

from pipeline.simulation.catalog import CATEGORIES, Items

_INTEREST = 0.5
_POPULAR = 0.35


class CandidateSource:
    """Draws distinct candidates among the items created before the request.

    Args:
      items: the catalog.
    """

    def __init__(self, items: Items):
        self._created_at = items.created_at
        self._cumulative = np.cumsum(items.popularity)
        # Within a category the rows ascend, hence so do the times of creation.
        self._row = np.argsort(items.category, kind="stable")
        self._key = items.category[self._row].astype(np.int64) * len(items.category) + self._row
        self._first = np.searchsorted(self._key, np.arange(CATEGORIES + 1) * len(items.category))
        self._category_cumulative = np.concatenate([[0.0], np.cumsum(items.popularity[self._row])])

    def draw(
        self,
        rng: np.random.Generator,
        times: np.ndarray,
        interest: np.ndarray,
        request: np.ndarray,
    ) -> np.ndarray:
        """Draws one item per impression, distinct within a request; `[I]` int64 rows of items.

        Args:
          rng: the source of randomness.
          times: `[R]` int64, milliseconds.
          interest: `[R]` the category that interests the user.
          request: `[I]` the row in `times` of each impression, ascending.
        """
        created = np.searchsorted(self._created_at, times, side="right")[request]
        source = rng.random(len(request), np.float32)
        place = rng.random(len(request))
        chosen = (place * created).astype(np.int64)
        popular = source >= 1 - _POPULAR
        weight = place[popular] * self._cumulative[created[popular] - 1]
        rows = np.searchsorted(self._cumulative, weight, "right")
        chosen[popular] = np.minimum(rows, created[popular] - 1)
        wanted = source < _INTEREST
        chosen[wanted] = self._of_category(
            place[wanted], created[wanted], interest[request[wanted]], chosen[wanted]
        )
        return self._without_repetition(rng, request, chosen, created)

    def _of_category(
        self, place: np.ndarray, created: np.ndarray, category: np.ndarray, otherwise: np.ndarray
    ) -> np.ndarray:
        """Maps places in [0, 1) to a category's items by popularity; `otherwise` without any."""
        first = self._first[category]
        end = np.searchsorted(self._key, category.astype(np.int64) * len(self._row) + created)
        low, high = self._category_cumulative[first], self._category_cumulative[end]
        found = np.searchsorted(self._category_cumulative, low + place * (high - low), "right") - 1
        empty = end == first
        rows = self._row[np.where(empty, 0, np.clip(found, first, np.maximum(end - 1, first)))]
        return np.where(empty, otherwise, rows)

    def _without_repetition(
        self,
        rng: np.random.Generator,
        request: np.ndarray,
        chosen: np.ndarray,
        created: np.ndarray,
    ) -> np.ndarray:
        """Replaces an item that its request shows already by a random one, until none does."""
        touched = np.arange(len(request))
        while True:
            key = request[touched] * np.int64(len(self._row)) + chosen[touched]
            order = np.argsort(key, kind="stable")
            repeated = touched[order[1:][key[order[1:]] == key[order[:-1]]]]
            if not repeated.size:
                return chosen
            chosen[repeated] = (rng.random(len(repeated)) * created[repeated]).astype(np.int64)
            # Only requests that have just changed can repeat an item now.
            touched = np.flatnonzero(np.isin(request, request[repeated]))
