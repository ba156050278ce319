"""The client through a server equals the SavedModel called directly, with caches and without."""

import grpc
import numpy as np
import pytest

from features.records.requests import RankingRequest
from serving_signatures import names
from serving_signatures.client.projection_store import LruProjectionStore
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from tests.serving_signatures import serving
from tests.serving_signatures.client import local_server

SHAPES = ((1, 1, 0), (1, 20, 16), (3, 7, 9), (2, 1, 1), (4, 5, 0))  # R, C, L
CACHES = (names.ID_PROJECTIONS, names.TARGET_AWARE_PROJECTIONS)


@pytest.fixture
def remote(published, addresses):
    with local_server.channel_to(addresses[published.tables_inside]) as channel:
        yield RemoteModel(channel, local_server.NAME)


@pytest.fixture
def client(remote):
    return RankingClient(remote, sizes=local_server.SIZES)


def assert_same(scored, expected):
    (received,) = scored.probabilities.values()
    assert [len(one) for one in received] == [len(one) for one in expected]
    for one, other in zip(received, expected, strict=True):
        assert ((one > 0) & (one < 1)).all()
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_both_ways_equal_the_saved_model(published, client, shape):
    sample = serving.requests(shape, published.embeddings, seed=5)
    requests = local_server.ranking_requests(sample, published.tables_inside)
    expected = local_server.expected_of(published, sample)
    by_ids = client.score_request(requests)
    assert_same(by_ids, expected)
    assert by_ids.signature == "score_request"
    for _ in range(2):
        cached = client.score_cached(requests)
        assert cached.signature == "score_cached"
        assert_same(cached, expected)
    assert "fallbacks" not in client.counts()


def test_items_that_no_one_knows_are_scored(published, client):
    sample = serving.requests((2, 3, 4), published.embeddings, seed=6)
    without = next(iter(set(sample["candidate_item_id"].ravel().tolist())))
    sample["candidate_item_id"][:] = [[987654321, -5, without]] * 2
    for name in [name for name in sample if name.startswith("candidate_vector_")]:
        sample[name][:, :2] = 0
    requests = local_server.ranking_requests(sample, published.tables_inside)
    expected = local_server.expected_of(published, sample)
    assert_same(client.score_request(requests), expected)
    assert_same(client.score_cached(requests), expected)


def test_a_history_beyond_the_largest_size_keeps_its_newest(published, client):
    sample = serving.requests((1, 3, 24), published.embeddings, seed=7)
    (long,) = local_server.ranking_requests(sample, published.tables_inside)
    newest = {
        name: value[-16:] if name.startswith("history_") else value
        for name, value in long.values().items()
    }
    named = {name: newest.pop(name) for name in list(newest) if name in vars(long)}
    short = RankingRequest(**named, features=newest)
    (expected,) = client.score_request([short]).probabilities.values()
    assert_same(client.score_request([long]), expected)
    assert_same(client.score_cached([long]), expected)


def test_a_full_cache_makes_no_projection_call(published, remote, monkeypatch):
    client = RankingClient(remote, sizes=local_server.SIZES)
    sample = serving.requests((2, 9, 7), published.embeddings, seed=8)
    requests = local_server.ranking_requests(sample, published.tables_inside)
    client.score_cached(requests)
    first = client.counts()
    items = len(
        np.unique(
            np.concatenate(
                [
                    sample[f"{side}_item_id"][sample[f"{side}_mask"]]
                    for side in ("candidate", "history")
                ]
            )
        )
    )
    for cache in CACHES:
        assert first[f"{cache}.misses"] == items
        assert first[f"{cache}.hits"] == 0
        assert first[f"{cache}.calls"] == -(-items // 8)
    called = []
    monkeypatch.setattr(remote, "call_each", lambda *_: called.append(1))
    scored = client.score_cached(requests)
    assert not called
    assert_same(scored, local_server.expected_of(published, sample))
    for cache in CACHES:
        assert client.counts()[f"{cache}.hits"] == items
        assert client.counts()[f"{cache}.calls"] == first[f"{cache}.calls"]


def test_a_cache_that_is_too_small_still_scores(published, remote):
    store = LruProjectionStore(max_items=3)
    client = RankingClient(remote, store, local_server.SIZES)
    sample = serving.requests((2, 9, 7), published.embeddings, seed=8)
    requests = local_server.ranking_requests(sample, published.tables_inside)
    for _ in range(2):
        scored = client.score_cached(requests)
        assert scored.signature == "score_cached"
        assert_same(scored, local_server.expected_of(published, sample))
    assert len(store) == 6  # 3 of each cache


def test_vectors_are_sent_of_items_that_the_cache_lacks_alone(with_vectors, addresses):
    sample = serving.requests((1, 4, 6), with_vectors.embeddings, seed=9)
    (request,) = local_server.ranking_requests(sample, vectors_inside=False)
    (bare,) = local_server.ranking_requests(sample, vectors_inside=True)
    with local_server.channel_to(addresses[False]) as channel:
        client = RankingClient(RemoteModel(channel, local_server.NAME), sizes=local_server.SIZES)
        with pytest.raises(ValueError, match=r"The model wants \w+_vector_"):
            client.score_cached([bare])
        assert client.counts()["fallbacks"] == 1
        client.score_cached([request])
        assert_same(client.score_cached([bare]), local_server.expected_of(with_vectors, sample))
        assert client.counts()["fallbacks"] == 1


def test_a_request_without_what_the_model_wants_is_refused_by_name(published, client):
    sample = serving.requests((1, 2, 3), published.embeddings)
    (request,) = local_server.ranking_requests(sample, published.tables_inside)
    features = dict(request.features)
    del features["context_country"]
    lacking = RankingRequest(**{**vars(request), "features": features})
    with pytest.raises(ValueError, match="The model wants context_country"):
        client.score_request([lacking])
    wrong = {**request.features, "context_country": np.array([0.5])}
    with pytest.raises(ValueError, match="context_country: expected int64, received float64"):
        client.score_request([RankingRequest(**{**vars(request), "features": wrong})])


def test_other_refusals_are_the_callers(published, client):
    sample = serving.requests((1, 2, 3), published.embeddings)
    (request,) = local_server.ranking_requests(sample, published.tables_inside)
    bad = {**request.features, "context_age": np.array([np.nan], np.float32)}
    for score in (client.score_request, client.score_cached):
        with pytest.raises(grpc.RpcError) as raised:
            score([RankingRequest(**{**vars(request), "features": bad})])
        assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "context_age" in raised.value.details()
    assert "fallbacks" not in client.counts()
