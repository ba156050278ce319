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

    The other store takes what is new. It is not asked where a catalog has the tag and all items.

    Args:
      catalogs: by the cache's name.
      store: for items that the catalogs lack, and for other tags; None where such items are
        computed anew each time.
    """

    def __init__(
        self, catalogs: Mapping[str, ProjectionCache], store: ProjectionStore | None = None
    ) -> None:
        self._catalogs = dict(catalogs)
        self._store = store
        self._replaced: dict[str, Integers] = {}

    @property
    def item_kind(self) -> Kind | None:
        """What the item ids of the catalogs are; None where no catalog says it."""
        kinds = (catalog.item_kind for catalog in self._catalogs.values())
        return next((kind for kind in kinds if kind is not None), None)

    def counts(self) -> dict[str, int]:
        """Returns what the other store counts."""
        counts: dict[str, int] = getattr(self._store, "counts", dict)()
        return counts

    def tag(self, cache: str) -> str | None:
        """Returns the catalog's tag, else the one that the other store saw last."""
        catalog = self._catalogs.get(cache)
        if catalog is not None:
            return catalog.tag
        return None if self._store is None else self._store.tag(cache)

    def get(self, cache: str, tag: str, item_ids: Integers) -> tuple[Booleans, Arrays]:
        """Looks items up."""
        catalog = self._catalogs.get(cache)
        if catalog is None or catalog.tag != tag:
            return self._get_other(cache, tag, item_ids)
        known, projections = catalog.lookup(item_ids)
        if cache in self._replaced:
            known = known & ~np.isin(item_ids, self._replaced[cache])
        if known.all():
            return known, projections
        missing = np.flatnonzero(~known)
        found, others = self._get_other(cache, tag, item_ids[missing])
        # What the other store has of another form is of no use beside the catalog's.
        if not all(
            name in others
            and (others[name].dtype, others[name].shape[1:]) == (value.dtype, value.shape[1:])
            for name, value in projections.items()
        ):
            return known, projections
        rows = missing[found]
        known = known.copy()
        known[rows] = True
        for name, value in projections.items():
            value[rows] = others[name][found]
        return known, projections

    def put(
        self, cache: str, tag: str, item_ids: Integers, projections: Mapping[str, Array]
    ) -> None:
        """Keeps projections in the other store, in place of the catalog's where it has them too."""
        if self._store is None:
            return
        self._store.put(cache, tag, item_ids, projections)
        catalog = self._catalogs.get(cache)
        if catalog is not None and catalog.tag == tag:
            replaced = item_ids[catalog.lookup(item_ids)[0]]
            if len(replaced):
                self._replaced[cache] = np.union1d(replaced, self._replaced.get(cache, replaced))

    def drop(self, cache: str, tag: str) -> None:
        """Forgets a tag, in the store and, for this process, in the catalog."""
        catalog = self._catalogs.get(cache)
        if catalog is not None and catalog.tag == tag:
            self._catalogs.pop(cache, None)
        if self._store is not None:
            self._store.drop(cache, tag)

    def _get_other(self, cache: str, tag: str, item_ids: Integers) -> tuple[Booleans, Arrays]:
        if self._store is None:
            return np.zeros(len(item_ids), bool), {}
        return self._store.get(cache, tag, item_ids)
