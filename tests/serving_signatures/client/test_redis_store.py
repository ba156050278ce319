"""Projections in a real Redis: shared, expiring, and done without when it does not answer."""

import signal
import sys
import time

import numpy as np
import pytest
import redis

from features.errors import UserInputError
from serving_signatures.client.projection_store import ProjectionStoreError
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.redis_store import RedisProjectionStore
from serving_signatures.client.remote_model import RemoteModel
from serving_signatures.names import CACHES
from tests import server_process
from tests.serving_signatures import serving
from tests.serving_signatures.client import local_server
from tests.serving_signatures.client.projections import IDS, assert_same, projections


def calls(store):
    """Every use of a store."""
    return (
        lambda: store.tag("ids"),
        lambda: store.get("ids", "a", IDS),
        lambda: store.put("ids", "a", IDS, projections(IDS)),
        lambda: store.drop("ids", "a"),
    )


def assert_scores(scored, expected):
    for one, other in zip(scored.probabilities["click"], expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)


def test_many_items_are_one_round_trip_and_entries_expire(redis_url, monkeypatch):
    store = RedisProjectionStore.connect(
        redis_url, timeout_seconds=10, prefix="ctr", ttl_seconds=60
    )
    store.tag("ids")  # Connected from here on.
    sent = []
    connection = redis.connection.Connection
    send = connection.send_packed_command
    monkeypatch.setattr(
        connection,
        "send_packed_command",
        lambda self, *arguments, **options: sent.append(1) or send(self, *arguments, **options),
    )
    store.put("ids", "a", IDS, projections(IDS))
    assert len(sent) == 1
    assert store.get("ids", "a", IDS)[0].all()
    assert len(sent) == 2
    server = redis.Redis.from_url(redis_url)
    keys = server.keys()
    assert len(keys) == len(IDS) + 2
    assert all(key.startswith(b"ctr:ids:") and 0 < server.ttl(key) <= 60 for key in keys)
    other = RedisProjectionStore.connect(redis_url, timeout_seconds=10, prefix="other")
    assert other.tag("ids") is None


def test_an_entry_that_expired_is_a_miss(redis_url, redis_store):
    redis_store.put("ids", "a", IDS, projections(IDS))
    redis.Redis.from_url(redis_url).pexpire("dmf:ids:a:7", 1)
    time.sleep(0.05)
    known, received = redis_store.get("ids", "a", IDS)
    assert known.tolist() == [False, True, True, True]
    assert_same(received, projections(IDS), rows=known)


def test_a_damaged_entry_is_a_miss(redis_url, redis_store):
    redis_store.put("ids", "a", IDS, projections(IDS))
    redis.Redis.from_url(redis_url).set("dmf:ids:a:7", b"short")
    known, received = redis_store.get("ids", "a", IDS)
    assert known.tolist() == [False, True, True, True]
    assert_same(received, projections(IDS), rows=known)


def test_a_server_that_hangs_costs_no_more_than_the_timeout():
    with server_process.running(server_process.redis_command) as (port, server):
        url = f"redis://127.0.0.1:{port}"
        patient = RedisProjectionStore.connect(url, timeout_seconds=10)
        patient.put("ids", "a", IDS, projections(IDS))
        store = RedisProjectionStore.connect(url, timeout_seconds=0.05)
        server.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        for call in calls(store):
            with pytest.raises(ProjectionStoreError, match="Redis does not answer: Timeout"):
                call()
        # Four times the timeout; the library's own retries would take seconds.
        assert time.monotonic() - begin < 2
        server.send_signal(signal.SIGCONT)
        assert patient.get("ids", "a", IDS)[0].all()


def test_a_server_that_is_gone_is_an_error_of_the_store():
    with server_process.running(server_process.redis_command) as (port, server):
        store = RedisProjectionStore.connect(f"redis://127.0.0.1:{port}", timeout_seconds=10)
        store.put("ids", "a", IDS, projections(IDS))
        server.kill()
        server.wait()
        for call in calls(store):
            with pytest.raises(ProjectionStoreError, match=r"Redis does not answer: .*refused"):
                call()


def test_what_one_client_computed_another_scores_from(with_tables, addresses):
    sample = serving.requests((2, 9, 7), with_tables.embeddings, seed=8)
    requests = local_server.ranking_requests(sample, True)
    expected = local_server.expected_of(with_tables, sample)
    with (
        local_server.channel_to(addresses[True]) as channel,
        server_process.running(server_process.redis_command) as (port, server),
    ):
        clients = [
            RankingClient(
                RemoteModel(channel, local_server.NAME),
                RedisProjectionStore.connect(f"redis://127.0.0.1:{port}", timeout_seconds=10),
                local_server.SIZES,
            )
            for _ in range(2)
        ]
        for client in clients:
            scored = client.score_cached(requests)
            assert scored.signature == "score_cached"
            assert_scores(scored, expected)
        first, second = (client.counts() for client in clients)
        for cache in CACHES:
            assert first[f"{cache}.hits"] == second[f"{cache}.misses"] == 0
            assert second[f"{cache}.hits"] == first[f"{cache}.misses"] > 0
        server.kill()
        server.wait()
        scored = clients[1].score_cached(requests)
        assert scored.signature == "score_request"
        assert clients[1].counts()["fallbacks"] == 1
        assert_scores(scored, expected)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(UserInputError, match=r"pip install 'dmf-ctr\[redis\]'"):
        RedisProjectionStore.connect("redis://localhost")
