"""Whatever is done to the values of a shared store, scores are those by ids."""

import functools
import types

import numpy as np
import pytest

from features.records.requests import PaddedSizes
from serving_signatures import names
from serving_signatures.client.catalog_store import CatalogStore
from serving_signatures.client.checksums import CHECKSUM_BYTES, Checksums
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.client.projection_store import LruProjectionStore, ProjectionStoreError
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.redis_store import RedisProjectionStore
from tests.serving_signatures.client.small_model import (
    DictionaryRedis,
    SmallModel,
    projections,
    request,
)

IDS = np.array([7, -3, 2**62, 0])
REQUESTS = [request([7, -3, 2**62], [0, 7])]
CACHE = names.ID_PROJECTIONS
SIZES = PaddedSizes((3,), (2,))
TAGS, OTHER_TAGS = ("0a", "0b"), ("1a", "1b")


def client_of(store, **values):
    return RankingClient(SmallModel(**values), store, SIZES)


@pytest.fixture(scope="module")
def by_ids():
    return client_of(None).score_request(REQUESTS).probabilities["click"][0]


@functools.cache
def filled():
    """Values of two models' entries, this one's written last."""
    redis = DictionaryRedis()
    store = RedisProjectionStore(redis)
    for tags in (OTHER_TAGS, TAGS):
        for cache, tag in zip(names.CACHES, tags, strict=True):
            rows = projections(cache, IDS + (tags == OTHER_TAGS))
            store.put(cache, tag, IDS, rows)
    return types.MappingProxyType(redis.values)


def score(values, by_ids):
    """Scores from a store that holds these values, and checks the scores."""
    redis = DictionaryRedis()
    redis.values = dict(values)
    client = client_of(RedisProjectionStore(redis))
    scored = client.score_cached(REQUESTS)
    np.testing.assert_array_equal(scored.probabilities["click"][0], by_ids)
    return client, scored, redis.values


def test_what_is_whole_is_used(by_ids):
    client, scored, _ = score(filled(), by_ids)
    assert scored.signature == "score_cached"
    assert client.counts() == {
        f"{cache}.{name}": number
        for cache in names.CACHES
        for name, number in (("misses", 0), ("hits", 4))
    }


def changed(rng, stored):
    place = rng.integers(len(stored))
    other = bytes([stored[place] ^ int(rng.integers(1, 256))])
    return stored[:place] + other + stored[place + 1 :]


DAMAGES = {
    "changed": changed,
    "cut": lambda rng, stored: stored[: rng.integers(len(stored))],
    "longer": lambda rng, stored: stored + rng.bytes(rng.integers(1, 9)),
    "zeros": lambda _, stored: bytes(len(stored)),
    "zeros behind the checksum": lambda _, stored: stored[:8] + bytes(len(stored) - 8),
    "other bytes": lambda rng, stored: rng.bytes(len(stored)),
    "of version 0.1.0": lambda _, stored: stored[CHECKSUM_BYTES:],
}


def damaged(rng, values):
    """Values of which one is damaged, gone, or changed places with another."""
    values = dict(values)
    key, other = rng.choice(list(values), 2, replace=False)
    kind = rng.choice([*DAMAGES, "gone", "swapped", "copied"])
    if kind == "gone":
        del values[key]
    elif kind == "swapped":
        values[key], values[other] = values[other], values[key]
    elif kind == "copied":
        values[key] = values[other]
    else:
        values[key] = DAMAGES[kind](rng, values[key])
    return kind, values


def assert_harmless(seed, by_ids):
    rng = np.random.default_rng(seed)
    kind, values = damaged(rng, filled())
    client, _, after = score(values, by_ids)
    counts = client.counts()
    assert counts.get("fallbacks", 0) == 0, (seed, kind)
    # What was read and did not verify is counted, and gone or written again.
    again, scored, _ = score(after, by_ids)
    assert scored.signature == "score_cached"
    assert not any(name.endswith(".damaged") for name in again.counts()), (seed, kind)
    return sum(count for name, count in counts.items() if name.endswith(".damaged"))


def test_some_damaged_stores_change_no_score(by_ids):
    assert sum(assert_harmless(seed, by_ids) for seed in range(100)) > 30


def entries_that_do_not_verify(seeds):
    """Looks everything up in damaged stores, and counts what did not verify."""
    truth = {cache: projections(cache, IDS) for cache in names.CACHES}
    rejected = 0
    for seed in seeds:
        kind, values = damaged(np.random.default_rng(seed), filled())
        redis = DictionaryRedis()
        redis.values = values
        store = RedisProjectionStore(redis)
        for cache, tag in zip(names.CACHES, TAGS, strict=True):
            assert store.tag(cache) in (tag, None), (seed, kind)
            known, received = store.get(cache, tag, IDS)
            assert known.any() or not received, (seed, kind)
            for name, rows in received.items():
                np.testing.assert_array_equal(rows[known], truth[cache][name][known])
        rejected += sum(store.counts().values())
    return rejected


def test_of_some_hundred_damaged_stores_no_wrong_value_comes():
    assert entries_that_do_not_verify(range(400)) > 150


@pytest.mark.slow(seconds=40)
def test_of_ten_thousand_damaged_stores_no_wrong_value_comes():
    assert entries_that_do_not_verify(range(400, 10_400)) > 4_000


@pytest.mark.parametrize("kind", [*DAMAGES, "another item's", "another tag's", "another cache's"])
def test_each_kind_of_damage_is_a_miss_that_is_counted_and_dropped(kind, by_ids):
    values = dict(filled())
    key = f"dmf:{CACHE}:0a:7"
    others = {
        "another item's": f"dmf:{CACHE}:0a:0",
        "another tag's": f"dmf:{CACHE}:1a:7",
        "another cache's": f"dmf:{names.TARGET_AWARE_PROJECTIONS}:0b:7",
    }
    rng = np.random.default_rng(0)
    values[key] = values[others[kind]] if kind in others else DAMAGES[kind](rng, values[key])
    redis = DictionaryRedis()
    redis.values = dict(values)
    store = RedisProjectionStore(redis)
    assert store.get(CACHE, "0a", IDS)[0].tolist() == [False, True, True, True]
    assert key not in redis.values
    assert store.counts() == {f"{CACHE}.damaged": 1}
    client, scored, _ = score(values, by_ids)
    assert scored.signature == "score_cached"
    assert client.counts()[f"{CACHE}.damaged"] == client.counts()[f"{CACHE}.misses"] == 1


LAYOUTS = [
    b"\x00garbage",
    b'{"a": 1}',
    b"[" * 100_000,
    b'[["q", "|O", [4]]]',
    b'[["q", "<f4", [4000000000000]]]',
    b'[["q", "<f4", [2000000000]]]',
    b'[["q", "<f4", [-1]]]',
    b'[["q", "nothing", [1]]]',
    b'[["q", "<f4,", [1]]]',
    b'[["q", "<f4", 1]]',
    b"[]",
    b'[["query", "<f4", [3]]]',
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=range(len(LAYOUTS)))
@pytest.mark.parametrize("verifies", [True, False])
def test_a_layout_that_is_none_is_a_miss(layout, verifies, by_ids):
    values = dict(filled())
    key = f"dmf:{CACHE}:0a:layout"
    values[key] = Checksums().sealed(key, layout) if verifies else layout
    client, scored, after = score(values, by_ids)
    assert scored.signature == "score_cached"
    assert client.counts()[f"{CACHE}.damaged"] >= 1
    assert score(after, by_ids)[0].counts()[f"{CACHE}.misses"] == 0


@pytest.mark.parametrize("tag", [b"\xff\xfe", b"", b"0a", b"1a"])
@pytest.mark.parametrize("verifies", [True, False])
def test_a_tag_that_is_none_is_a_miss(tag, verifies, by_ids):
    values = dict(filled())
    key = f"dmf:{CACHE}:tag"
    values[key] = Checksums().sealed(key, tag) if verifies else tag
    _, _, after = score(values, by_ids)
    if not (verifies and tag == b"1a"):
        score(after, by_ids)
        assert after[key] == Checksums().sealed(key, b"0a")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_impossible_values_in_a_store_are_computed_again_and_replaced(bad, by_ids):
    store = LruProjectionStore(10)
    rows = projections(CACHE, IDS)
    rows["key"][0, 1] = bad
    store.put(CACHE, "0a", IDS, rows)
    client = client_of(store)
    for _ in range(2):
        scored = client.score_cached(REQUESTS)
        np.testing.assert_array_equal(scored.probabilities["click"][0], by_ids)
        assert scored.signature == "score_cached"
    counts = client.counts()
    assert counts[f"{CACHE}.damaged"] == counts[f"{CACHE}.misses"] == 1
    assert "fallbacks" not in counts


def test_an_impossible_row_of_a_catalog_is_computed_once(by_ids):
    rows = projections(CACHE, IDS)
    rows["key"][0, 1] = np.nan
    catalog = ProjectionCache(1, "0a", IDS, {k: np.append(v, v[:1], 0) for k, v in rows.items()})
    client = client_of(CatalogStore({CACHE: catalog}, LruProjectionStore(10)))
    for _ in range(3):
        scored = client.score_cached(REQUESTS)
        np.testing.assert_array_equal(scored.probabilities["click"][0], by_ids)
        assert scored.signature == "score_cached"
    counts = client.counts()
    assert counts[f"{CACHE}.damaged"] == counts[f"{CACHE}.calls"] == 1


@pytest.mark.parametrize("in_front", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows | {"key": rows["key"][:, :2]},
        lambda rows: rows | {"key": rows["key"].astype(np.float64)},
        lambda rows: rows | {"other": rows["key"]},
        lambda rows: {name: one for name, one in rows.items() if name != "key"},
    ],
)
def test_projections_of_another_form_are_dropped_and_computed_again(change, in_front, by_ids):
    store = LruProjectionStore(10)
    store.put(CACHE, "0a", IDS, change(projections(CACHE, IDS)))
    client = client_of(CatalogStore({}, store) if in_front else store)
    for _ in range(2):
        scored = client.score_cached(REQUESTS)
        np.testing.assert_array_equal(scored.probabilities["click"][0], by_ids)
        assert scored.signature == "score_cached"
    assert client.counts()[f"{CACHE}.damaged"] == client.counts()[f"{CACHE}.misses"] == 4
    assert client.counts()[f"{CACHE}.hits"] == 4


def test_entries_of_another_form_and_tag_are_left_to_their_own_model(by_ids):
    store = LruProjectionStore(10)
    store.put(CACHE, "1a", IDS, {"key": np.zeros((4, 9), np.float32)})
    client = client_of(store)
    np.testing.assert_array_equal(client.score_cached(REQUESTS).probabilities["click"][0], by_ids)
    assert store.get(CACHE, "1a", IDS)[0].all()


class Broken(DictionaryRedis):
    """A client of Redis that answers otherwise than it should."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def mget(self, keys):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer", [ValueError("int"), AttributeError("get"), OSError("cut"), [], [None] * 9, None, 7]
)
def test_a_client_that_answers_nonsense_is_a_store_that_does_not_answer(answer, by_ids):
    store = RedisProjectionStore(Broken(answer))
    for call in (lambda: store.tag("ids"), lambda: store.get("ids", "a", IDS)):
        with pytest.raises(ProjectionStoreError, match="Redis"):
            call()
    client = client_of(store)
    scored = client.score_cached(REQUESTS)
    assert scored.signature == "score_request"
    np.testing.assert_array_equal(scored.probabilities["click"][0], by_ids)


def test_two_processes_that_name_projections_in_another_order_agree():
    redis = DictionaryRedis()
    rows = projections(CACHE, IDS)
    RedisProjectionStore(redis).put(CACHE, "0a", IDS[:2], {k: v[:2] for k, v in rows.items()})
    turned = dict(reversed(rows.items()))
    RedisProjectionStore(redis).put(CACHE, "0a", IDS[2:], {k: v[2:] for k, v in turned.items()})
    known, received = RedisProjectionStore(redis).get(CACHE, "0a", IDS)
    assert known.all()
    for name, one in rows.items():
        np.testing.assert_array_equal(received[name], one)
