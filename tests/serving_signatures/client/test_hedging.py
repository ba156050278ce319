"""A late call is sent to the next server too, within a share, and the first answer counts."""

import time

import grpc
import numpy as np
import pytest

from serving_signatures.client.hedging import Hedging
from tests.serving_signatures.client.served_small_model import (
    REQUESTS,
    assert_scored,
    client_of,
    served,
)


def seconds_of(client, count):
    """How long requests by ids take, one after the other."""
    seconds = []
    for _ in range(count):
        begin = time.monotonic()
        assert_scored(client.score_request(REQUESTS), "score_request")
        seconds.append(time.monotonic() - begin)
    return np.array(seconds)


def ready(client, servers):
    """Calls until each server has answered."""
    while not all("score_request" in server.calls for server in servers):
        client.score_request(REQUESTS)


def test_a_slow_server_is_not_waited_for():
    with served(2) as servers:
        hedging = Hedging(after_seconds=0.1, share=1)
        with client_of(servers) as plain, client_of(servers, hedging) as hedged:
            for client in (plain, hedged):
                for server in servers:
                    server.calls.clear()
                ready(client, servers)
            servers[0].seconds = 1.0
            assert seconds_of(plain, 4).max() >= 1
            assert seconds_of(hedged, 4).max() < 0.9
            counts = hedged.counts()
            assert 2 <= counts["hedges.won"] <= counts["hedges.sent"] <= 4
            assert "hedges.sent" not in plain.counts()


def test_calls_of_projections_are_hedged_too():
    with served(2) as servers:
        hedging = Hedging(after_seconds=0.1, share=1)
        with client_of(servers, hedging, max_batch_size=1) as client:
            ready(client, servers)
            servers[0].seconds = 1.0
            begin = time.monotonic()
            assert_scored(client.score_cached(REQUESTS), "score_cached")
            # Five items of two caches, a call each, and the scores.
            assert time.monotonic() - begin < 4
            assert client.counts()["hedges.won"] >= 1


def test_second_calls_are_a_share_of_the_first_ones():
    with served(2) as servers:
        hedging = Hedging(after_seconds=0.005, share=0.1)
        with client_of(servers, hedging) as client:
            client.score_request(REQUESTS)
            for server in servers:
                server.seconds = 0.03
                server.calls.clear()
            seconds_of(client, 39)
            counts = client.counts()
            assert counts["hedges.sent"] == 4
            assert counts["hedges.over_share"] >= 30
            time.sleep(0.1)
            assert sum(len(server.calls) for server in servers) <= 39 + 4


@pytest.mark.parametrize("code", ["NOT_FOUND", "INVALID_ARGUMENT", "INTERNAL"])
def test_an_error_counts_where_the_other_call_has_no_answer(code):
    with served(1) as servers, client_of(servers, Hedging(0.05, share=1)) as client:
        client.score_request(REQUESTS)
        servers[0].seconds = 0.4
        # As from a server that does not have the version: the other one has.
        servers[0].codes = [grpc.StatusCode[code]]
        assert_scored(client.score_request(REQUESTS), "score_request")
        servers[0].codes = [grpc.StatusCode[code]] * 2
        with pytest.raises(grpc.RpcError) as raised:
            client.score_request(REQUESTS)
        assert raised.value.code() == grpc.StatusCode[code]


def test_two_calls_end_at_the_deadline_of_the_first():
    with served(2) as servers:
        hedging = Hedging(0.2, share=1)
        with client_of(servers, hedging, channel_seconds=0.6) as client:
            for timeout_seconds in (None, 0.6):
                # An error has the client ask for the metadata again, which is not hedged.
                client.score_request(REQUESTS)
                for server in servers:
                    server.seconds = 1.5
                begin = time.monotonic()
                with pytest.raises(grpc.RpcError) as raised:
                    client.score_request(REQUESTS, timeout_seconds)
                assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
                assert 0.6 <= time.monotonic() - begin < 1.2
                for server in servers:
                    server.seconds = 0
            assert client.counts()["hedges.sent"] >= 2


@pytest.mark.parametrize(
    ("argument", "values"),
    [("after_seconds", [0, -1, float("inf"), float("nan")]), ("share", [0, 1.1, float("nan")])],
)
def test_what_cannot_be_is_refused(argument, values):
    for value in values:
        with pytest.raises(ValueError, match=f"^{argument} must be .*, received {value}"):
            Hedging(**{"after_seconds": 1, argument: value})
