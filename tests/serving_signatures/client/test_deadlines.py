"""One deadline ends all calls of a request, whatever they wait for."""

import signal
import time

import grpc
import pytest

from serving_signatures.client import deadlines
from serving_signatures.client.projection_store import LruProjectionStore, ProjectionStoreError
from serving_signatures.client.redis_store import RedisProjectionStore
from tests import server_process
from tests.serving_signatures.client.served_small_model import (
    REQUESTS,
    assert_scored,
    client_of,
    served,
)


def assert_ends(score, seconds):
    begin = time.monotonic()
    with pytest.raises(grpc.RpcError) as raised:
        score()
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert seconds <= time.monotonic() - begin < seconds + 0.6


def test_the_calls_of_a_request_together_end_at_its_deadline():
    with served() as (server,), client_of([server]) as client:
        client.score_request(REQUESTS)
        server.calls.clear()
        server.seconds = 0.4
        # Two calls of projections are answered in time, the third of all would not be.
        assert_ends(lambda: client.score_cached(REQUESTS, timeout_seconds=1.0), 1.0)
        assert server.calls == ["id_projections", "target_aware_projections", "score_cached"]
        # Each call alone is within it.
        assert_scored(client.score_request(REQUESTS, timeout_seconds=1.0), "score_request")
        assert_scored(client.score_cached(REQUESTS), "score_cached")


def test_the_metadata_of_a_version_is_within_the_deadline():
    with served() as (server,), client_of([server], timeout_seconds=0.3) as client:
        server.seconds = 0.8
        assert_ends(lambda: client.score_request(REQUESTS), 0.3)
        assert server.calls == ["metadata"]
        # The request's own counts in place of the client's, and both in place of the channel's.
        assert_scored(client.score_request(REQUESTS, timeout_seconds=30), "score_request")


class Hanging(LruProjectionStore):
    """A store that answers nothing for some seconds."""

    def __init__(self, seconds):
        super().__init__()
        self._seconds = seconds

    def tag(self, cache):
        time.sleep(self._seconds)
        raise ProjectionStoreError("on purpose")


def test_a_call_for_which_nothing_is_left_is_not_sent():
    with served() as (server,), client_of([server], store=Hanging(0.3)) as client:
        client.score_request(REQUESTS)
        server.calls.clear()
        assert_ends(lambda: client.score_cached(REQUESTS, timeout_seconds=0.2), 0.3)
        assert server.calls == []
        assert_scored(client.score_cached(REQUESTS, timeout_seconds=30), "score_request")


def test_a_redis_that_hangs_leaves_time_for_the_scores_by_ids():
    with server_process.running(server_process.redis_command) as (port, redis), served() as servers:
        store = RedisProjectionStore.connect(f"redis://127.0.0.1:{port}", timeout_seconds=0.1)
        with client_of(servers, store=store, timeout_seconds=2.0) as client:
            client.score_request(REQUESTS)
            redis.send_signal(signal.SIGSTOP)
            begin = time.monotonic()
            assert_scored(client.score_cached(REQUESTS), "score_request")
            assert time.monotonic() - begin < 1.5


@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_a_timeout_that_is_none_is_refused(seconds):
    with served() as servers:
        with pytest.raises(ValueError, match=r"^timeout_seconds must be more than 0"):
            client_of(servers, timeout_seconds=seconds).__enter__()
        with client_of(servers) as client:
            for score in (client.score_request, client.score_cached):
                with pytest.raises(ValueError, match=r"^timeout_seconds must be more than 0"):
                    score(REQUESTS, timeout_seconds=seconds)


def test_a_deadline_ends_with_its_block():
    assert deadlines.left() is None
    with deadlines.within(5):
        assert 4 < deadlines.left() <= 5
        with deadlines.within(1e-9), pytest.raises(deadlines.DeadlinePassedError):
            deadlines.left()
    assert deadlines.left() is None
