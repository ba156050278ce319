"""What is put into a store comes out, of no other tag, and no more than there is room for."""

import sys

import numpy as np
import pytest

from features.errors import UserInputError
from serving_signatures.catalog_store import CatalogStore
from serving_signatures.projection_store import LruProjectionStore, ProjectionStoreError
from serving_signatures.redis_store import RedisProjectionStore

IDS = np.array([7, -3, 2**62, 0])


class FakeRedis:
    """A dictionary with the methods of `redis.Redis` that the store uses; values are bytes."""

    def __init__(self):
        self.values = {}
        self.expiries = {}
        self.broken = False
        self.round_trips = 0

    def _answer(self):
        self.round_trips += 1
        if self.broken:
            raise ConnectionError("refused")

    def get(self, key):
        self._answer()
        return self.values.get(key)

    def mget(self, keys):
        self._answer()
        return [self.values.get(key) for key in keys]

    def delete(self, *keys):
        self._answer()
        for key in keys:
            self.values.pop(key, None)

    def pipeline(self, transaction):
        assert not transaction
        return FakePipeline(self)


class FakePipeline:
    def __init__(self, redis):
        self.redis = redis
        self.commands = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def set(self, key, value, ex):
        self.commands.append((key, value, ex))

    def execute(self):
        self.redis._answer()
        for key, value, ex in self.commands:
            self.redis.values[key] = value if isinstance(value, bytes) else value.encode()
            self.redis.expiries[key] = ex


class OneTag:
    """A catalogue as the backfill's reader has it."""

    tag = "catalog"

    def __init__(self, ids, seed):
        self.ids = ids
        self.projections = projections(ids, seed)

    def lookup(self, item_ids):
        rows = {item: row for row, item in enumerate(self.ids.tolist())}
        places = np.array([rows.get(item, -1) for item in item_ids.tolist()])
        return places >= 0, {name: one[places] for name, one in self.projections.items()}


def projections(ids, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "key": rng.standard_normal((len(ids), 2, 3)).astype(np.float32),
        "quantized_text": rng.integers(-128, 128, (len(ids), 5)).astype(np.int8),
        "norm_text": rng.random(len(ids)).astype(np.float32),
    }


def assert_same(received, expected, rows=slice(None)):
    assert received.keys() == expected.keys()
    for name, value in expected.items():
        assert received[name].dtype == value.dtype
        np.testing.assert_array_equal(received[name][rows], value[rows])


STORES = {
    "lru": lambda: LruProjectionStore(max_items=100),
    "redis": lambda: RedisProjectionStore(FakeRedis()),
    "catalog": lambda: CatalogStore({}, LruProjectionStore()),
}


@pytest.mark.parametrize("store", STORES)
def test_what_is_put_comes_out_under_its_own_cache_and_tag(store):
    store = STORES[store]()
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


def test_redis_is_asked_once_and_entries_expire():
    redis = FakeRedis()
    store = RedisProjectionStore(redis, prefix="ctr", ttl_seconds=60)
    store.put("ids", "a", IDS, projections(IDS))
    assert redis.round_trips == 1
    assert store.get("ids", "a", IDS)[0].all()
    assert redis.round_trips == 2
    assert set(redis.expiries.values()) == {60}
    assert all(key.startswith("ctr:ids:") for key in redis.values)
    assert RedisProjectionStore(redis, prefix="other").tag("ids") is None


def test_a_damaged_entry_of_redis_is_a_miss():
    redis = FakeRedis()
    store = RedisProjectionStore(redis)
    store.put("ids", "a", IDS, projections(IDS))
    redis.values["dmf:ids:a:7"] = b"short"
    known, received = store.get("ids", "a", IDS)
    assert known.tolist() == [False, True, True, True]
    assert_same(received, projections(IDS), rows=known)


def test_a_redis_that_does_not_answer_is_an_error_of_the_store():
    redis = FakeRedis()
    store = RedisProjectionStore(redis)
    redis.broken = True
    for call in (
        lambda: store.tag("ids"),
        lambda: store.get("ids", "a", IDS),
        lambda: store.put("ids", "a", IDS, projections(IDS)),
        lambda: store.drop("ids", "a"),
    ):
        with pytest.raises(ProjectionStoreError, match="Redis does not answer: refused"):
            call()


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(UserInputError, match=r"pip install 'dmf-ctr\[redis\]'"):
        RedisProjectionStore.connect("redis://localhost")


def test_a_catalogue_comes_first_and_the_store_has_the_rest():
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
