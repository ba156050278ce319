"""What is put into a store comes out, of no other tag, and no more than there is room for."""

import numpy as np
import pytest

from serving_signatures.client.catalog_store import CatalogStore
from serving_signatures.client.projection_store import LruProjectionStore, ProjectionStoreError
from tests.serving_signatures.client.projections import IDS, assert_same, projections


class OneTag:
    """A catalog as the backfill's reader has it."""

    tag = "catalog"

    def __init__(self, ids, seed):
        self.ids = ids
        self.projections = projections(ids, seed)

    def lookup(self, item_ids):
        rows = {item: row for row, item in enumerate(self.ids.tolist())}
        places = np.array([rows.get(item, -1) for item in item_ids.tolist()])
        return places >= 0, {name: one[places] for name, one in self.projections.items()}


STORES = {
    "lru": lambda: LruProjectionStore(max_items=100),
    "catalog": lambda: CatalogStore({}, LruProjectionStore()),
}


@pytest.mark.parametrize("name", [*STORES, "redis"])
def test_what_is_put_comes_out_under_its_own_cache_and_tag(name, request):
    store = STORES[name]() if name in STORES else request.getfixturevalue("redis_store")
    assert store.tag("ids") is None
    assert not store.get("ids", "a", IDS)[0].any()
    first, second = projections(IDS[:3]), projections(IDS[:3], seed=1)
    store.put("ids", "a", IDS[:3], first)
    store.put("ids", "b", IDS[:3], second)
    assert store.tag("ids") == "b"
    assert store.tag("content") is None
    for tag, expected in (("a", first), ("b", second)):
        known, received = store.get("ids", tag, IDS)
        assert known.tolist() == [True, True, True, False]
        assert_same({name: one[:3] for name, one in received.items()}, expected)
    assert not store.get("content", "a", IDS)[0].any()
    known, received = store.get("ids", "a", IDS[[2, 0]])
    assert_same(received, {name: one[[2, 0]] for name, one in first.items()})
    store.drop("ids", "b")
    assert not store.get("ids", "b", IDS)[0].any()
    assert store.get("ids", "a", IDS)[0].any()
    store.drop("ids", "unknown")


def test_the_least_recently_used_go_first():
    store = LruProjectionStore(max_items=3)
    values = projections(np.arange(5))
    row = lambda index: {name: one[[index]] for name, one in values.items()}  # noqa: E731
    for item in (0, 1, 2):
        store.put("ids", "a", np.array([item]), row(item))
    store.get("ids", "a", np.array([0]))
    store.put("ids", "a", np.array([3]), row(3))
    known, received = store.get("ids", "a", np.arange(5))
    assert known.tolist() == [True, False, True, True, False]
    assert_same(received, values, rows=known)
    assert len(store) == 3
    store.put("ids", "a", np.arange(5), values)
    known, received = store.get("ids", "a", np.arange(5))
    assert known.tolist() == [False, False, True, True, True]
    assert_same(received, values, rows=known)
    assert len(store) == 3


def test_random_use_of_a_small_cache_never_gives_a_wrong_row():
    rng = np.random.default_rng(0)
    store = LruProjectionStore(max_items=7)
    values = projections(np.arange(30))
    for _ in range(300):
        items = rng.choice(30, rng.integers(1, 12), replace=False)
        store.put("ids", "a", items, {name: one[items] for name, one in values.items()})
        items = rng.choice(30, 10)
        known, received = store.get("ids", "a", items)
        for name, one in received.items():
            np.testing.assert_array_equal(one[known], values[name][items[known]])
        assert len(store) <= 7


def test_the_oldest_tag_goes_first():
    store = LruProjectionStore(max_tags=2)
    for tag in "aba":
        store.put("ids", tag, IDS, projections(IDS))
    store.put("ids", "c", IDS, projections(IDS))
    assert [bool(store.get("ids", tag, IDS)[0].all()) for tag in "abc"] == [True, False, True]


def test_a_catalog_comes_first_and_the_store_has_the_rest():
    inner = LruProjectionStore()
    catalog = OneTag(IDS[:2], seed=0)
    store = CatalogStore({"ids": catalog}, inner)
    assert store.tag("ids") == "catalog"
    more = projections(IDS[2:3], seed=1)
    store.put("ids", "catalog", IDS[2:3], more)
    known, received = store.get("ids", "catalog", IDS)
    assert known.tolist() == [True, True, True, False]
    for name, one in received.items():
        np.testing.assert_array_equal(one[:2], catalog.projections[name])
        np.testing.assert_array_equal(one[2], more[name][0])
    store.drop("ids", "catalog")
    assert store.tag("ids") is None
    assert not store.get("ids", "catalog", IDS)[0].any()


def test_a_store_is_not_asked_for_what_the_catalog_has(monkeypatch):
    inner = LruProjectionStore()
    store = CatalogStore({"ids": OneTag(IDS, seed=0)}, inner)
    monkeypatch.setattr(inner, "get", None)
    assert store.get("ids", "catalog", IDS)[0].all()


class Silent:
    """A store that does not answer."""

    def __getattr__(self, name):
        raise ProjectionStoreError("no answer")


@pytest.mark.parametrize("store", [None, Silent()], ids=["none", "silent"])
def test_a_complete_catalog_needs_no_other_store(store):
    catalog = OneTag(IDS, seed=0)
    store = CatalogStore({"ids": catalog}, store)
    assert store.tag("ids") == "catalog"
    known, received = store.get("ids", "catalog", IDS)
    assert known.all()
    assert_same(received, catalog.projections)


def test_without_another_store_a_catalog_keeps_nothing_new():
    store = CatalogStore({"ids": OneTag(IDS[:2], seed=0)})
    store.put("ids", "catalog", IDS, projections(IDS))
    store.put("content", "a", IDS, projections(IDS))
    assert store.get("ids", "catalog", IDS)[0].tolist() == [True, True, False, False]
    assert store.tag("content") is None
    assert not store.get("content", "a", IDS)[0].any()
    assert store.counts() == {}
    store.drop("ids", "catalog")
    assert store.tag("ids") is None


def test_entries_of_another_form_do_not_stand_beside_a_catalogs():
    inner = LruProjectionStore()
    inner.put("ids", "catalog", IDS, {"key": np.zeros((len(IDS), 7))})
    store = CatalogStore({"ids": OneTag(IDS[:2], seed=0)}, inner)
    assert store.get("ids", "catalog", IDS)[0].tolist() == [True, True, False, False]


@pytest.mark.parametrize("room", [{"max_items": 0}, {"max_tags": 0}])
def test_a_cache_without_room_is_refused(room):
    with pytest.raises(ValueError, match="must be >= 1"):
        LruProjectionStore(**room)
    LruProjectionStore(max_items=1, max_tags=1)
