"""A client finds its own model's rows in a shared store, whatever tag the store got last."""

import numpy as np
import pytest

from features.records.requests import PaddedSizes
from serving_signatures import names
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.redis_store import RedisProjectionStore
from tests.serving_signatures.client.small_model import (
    DictionaryRedis,
    SmallModel,
    projections,
    request,
)

ITEMS = np.arange(50)
REQUESTS = [request(ITEMS[:40], ITEMS[40:])]
SIZES = PaddedSizes((40,), (10,))
OLD, NEW = ("0a", "0b"), ("1a", "1b")
OTHER = ITEMS + 100


def filled(*loaded):
    """A store with the rows of items under tags, and the tag of those that were put last."""
    redis = DictionaryRedis()
    store = RedisProjectionStore(redis)
    for tags, items in loaded:
        for cache, tag in zip(names.CACHES, tags, strict=True):
            store.put(cache, tag, items, projections(cache, items))
    return redis


def score(redis, tags, times=1):
    """Scores with a client that was just made, and returns its counts."""
    client = RankingClient(SmallModel(tags), RedisProjectionStore(redis), SIZES)
    expected = client.score_request(REQUESTS).probabilities["click"][0]
    for _ in range(times):
        scored = client.score_cached(REQUESTS)
        np.testing.assert_array_equal(scored.probabilities["click"][0], expected)
    return scored.signature, client.counts()


@pytest.mark.parametrize("tags", [OLD, NEW])
def test_both_versions_find_their_own_rows(tags):
    redis = filled((OLD, ITEMS), (NEW, ITEMS))
    # The first requests of the old version's client begin with the other tags, and are by ids.
    signature, counts = score(redis, tags, times=1 if tags == NEW else 3)
    assert signature == "score_cached"
    for cache in names.CACHES:
        assert counts[f"{cache}.misses"] == 0
        assert counts[f"{cache}.hits"] >= len(ITEMS)
        assert f"{cache}.calls" not in counts


@pytest.mark.parametrize("last", [OTHER, ITEMS[:3]])
def test_few_items_tell_the_tag_where_the_store_got_another_one_last(last):
    redis = filled((NEW, ITEMS), (OLD, last))
    signature, counts = score(redis, NEW)
    assert signature == "score_cached"
    for cache in names.CACHES:
        assert counts[f"{cache}.calls"] == 1
        assert (counts[f"{cache}.misses"], counts[f"{cache}.hits"]) == (8, len(ITEMS) - 8)


def test_few_items_tell_the_tag_where_the_stores_own_has_expired():
    redis = filled((NEW, ITEMS))
    for cache in names.CACHES:
        del redis.values[f"dmf:{cache}:tag"]
    _, counts = score(redis, NEW)
    for cache in names.CACHES:
        assert (counts[f"{cache}.misses"], counts[f"{cache}.hits"]) == (8, len(ITEMS) - 8)


def test_an_empty_store_costs_no_more_calls():
    _, counts = score(filled(), NEW, times=2)
    for cache in names.CACHES:
        assert counts[f"{cache}.calls"] == -(-len(ITEMS) // 8)
        assert (counts[f"{cache}.misses"], counts[f"{cache}.hits"]) == (len(ITEMS), len(ITEMS))
