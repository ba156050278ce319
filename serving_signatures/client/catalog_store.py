"""A backfill's projections of a whole catalog, and a store for what came after it."""

from collections.abc import Mapping

import numpy as np

from features.arrays import Array, Booleans, Integers
from features.id_kinds import Kind
from features.records.requests import Arrays
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.client.projection_store import ProjectionStore


class CatalogStore:
    """A store that looks items up in a backfill's caches first, then in another store.

    The other store takes what is new. A cache whose tag the model refused is not asked again.

    Args:
      catalogs: by the cache's name.
      store: for items that the catalogs lack, and for other tags.
    """

    def __init__(self, catalogs: Mapping[str, ProjectionCache], store: ProjectionStore) -> None:
        self._catalogs = dict(catalogs)
        self._store = store

    @property
    def item_kind(self) -> Kind | None:
        """What the item ids of the catalogs are; None where no catalog says it."""
        kinds = (catalog.item_kind for catalog in self._catalogs.values())
        return next((kind for kind in kinds if kind is not None), None)

    def tag(self, cache: str) -> str | None:
        """Returns the tag that the store saw last, else the catalog's."""
        catalog = self._catalogs.get(cache)
        return self._store.tag(cache) or (None if catalog is None else catalog.tag)

    def get(self, cache: str, tag: str, item_ids: Integers) -> tuple[Booleans, Arrays]:
        """Looks items up."""
        catalog = self._catalogs.get(cache)
        if catalog is None or catalog.tag != tag:
            return self._store.get(cache, tag, item_ids)
        known, projections = catalog.lookup(item_ids)
        if known.all():
            return known, projections
        missing = np.flatnonzero(~known)
        found, others = self._store.get(cache, tag, item_ids[missing])
        rows = missing[found]
        known = known.copy()
        known[rows] = True
        for name, value in projections.items():
            if len(rows):
                value[rows] = others[name][found]
        return known, projections

    def put(
        self, cache: str, tag: str, item_ids: Integers, projections: Mapping[str, Array]
    ) -> None:
        """Keeps projections in the other store."""
        self._store.put(cache, tag, item_ids, projections)

    def drop(self, cache: str, tag: str) -> None:
        """Forgets a tag, in the store and, for this process, in the catalog."""
        catalog = self._catalogs.get(cache)
        if catalog is not None and catalog.tag == tag:
            self._catalogs.pop(cache, None)
        self._store.drop(cache, tag)
