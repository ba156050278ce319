"""Several servers: calls are spread, failures are not seen, changes of DNS are."""

import contextlib
import threading
import time
from concurrent import futures

import pytest

from serving_signatures.client.channel import open_channel
from serving_signatures.client.channels.targets import grpc_target
from tests.server_process import free_port
from tests.serving_signatures.client.channels.servers import (
    CountingServer,
    called,
    counting_servers,
    dns_server,
    server_process,
    wait_until,
)


def places(servers):
    return [server.place for server in servers]


def called_until_all_answer(channel, servers):
    """Calls until each server has answered, then counts from zero."""
    wait_until(lambda: called(channel, 1) == [] and all(server.calls for server in servers))
    for server in servers:
        server.calls = 0


def test_calls_are_spread_evenly_over_three_servers_by_many_threads():
    with counting_servers(3) as servers, open_channel(places(servers)) as channel:
        called_until_all_answer(channel, servers)
        with futures.ThreadPoolExecutor(6) as threads:
            failed = list(threads.map(lambda _: called(channel, 50), range(6)))
        assert failed == [[]] * 6
        assert sum(server.calls for server in servers) == 300
        assert all(abs(server.calls - 100) <= 10 for server in servers)


def test_no_call_fails_where_one_of_three_servers_is_killed_under_load():
    port = free_port()
    every = [f"127.0.0.{number}:{port}" for number in (1, 2, 3)]
    with contextlib.ExitStack() as stack:
        killed = stack.enter_context(server_process(every[0], seconds=0.01))
        others = [CountingServer(place, seconds=0.01) for place in every[1:]]
        for other in others:
            stack.callback(other.stop)
        channel = stack.enter_context(open_channel(every, timeout_seconds=10))
        stopped, failed, done = threading.Event(), [], []

        def load():
            while not stopped.is_set():
                failed.extend(called(channel, 1))
                done.append(1)

        threads = stack.enter_context(futures.ThreadPoolExecutor(6))
        running = [threads.submit(load) for _ in range(6)]
        stack.callback(stopped.set)
        wait_until(lambda: len(done) - sum(other.calls for other in others) > 50)
        killed.kill()
        killed.wait()
        before = len(done)
        wait_until(lambda: len(done) > before + 200)
        restarted = CountingServer(every[0])
        stack.callback(restarted.stop)
        begin = time.monotonic()
        wait_until(lambda: restarted.calls)
        assert time.monotonic() - begin < 1
        stopped.set()
        for one in running:
            one.result()
        assert failed == []


def test_a_server_that_says_it_does_not_serve_gets_no_calls_until_it_does():
    with counting_servers(2, with_health=True) as servers, counting_servers(1) as others:
        # One without the health service counts as healthy, as TF Serving without its flag.
        every = servers + others
        with open_channel(places(every)) as channel:
            called_until_all_answer(channel, every)
            servers[0].set_serving(False)
            time.sleep(0.3)
            servers[0].calls = 0
            assert called(channel, 60) == []
            assert servers[0].calls == 0 and servers[1].calls and others[0].calls
            servers[0].set_serving(True)
            wait_until(lambda: called(channel, 1) == [] and servers[0].calls)


def test_calls_fail_as_unavailable_where_no_server_serves():
    with counting_servers(1, with_health=True) as servers:
        servers[0].set_serving(False)
        with open_channel(places(servers), timeout_seconds=5) as channel:
            assert called(channel, 1) == ["UNAVAILABLE"]
        assert servers[0].calls == 0


def test_a_name_is_resolved_again_when_a_server_of_it_is_replaced():
    addresses = ["127.0.0.1", "127.0.0.2"]
    with counting_servers(3) as servers, dns_server(addresses) as dns:
        port = servers[0].place.rpartition(":")[2]
        with open_channel(f"dns://127.0.0.1:{dns}/models.test:{port}") as channel:
            called_until_all_answer(channel, servers[:2])
            assert called(channel, 50) == []
            assert servers[2].calls == 0
            addresses[1] = "127.0.0.3"
            servers[1].stop()
            begin = time.monotonic()
            failed = []
            while not servers[2].calls:
                failed += called(channel, 1)
                assert time.monotonic() - begin < 20
            # By default grpc would not have asked DNS again before 30 s.
            assert time.monotonic() - begin < 3
            assert failed == []


# gRPC asks DNS when a connection ends, not by the clock: what an old server has to be told.
def test_a_server_that_is_added_to_a_name_is_found_when_connections_have_a_greatest_age():
    addresses = ["127.0.0.1"]
    age = [("grpc.max_connection_age_ms", 1000), ("grpc.max_connection_age_grace_ms", 5000)]
    with counting_servers(2, options=age) as servers, dns_server(addresses) as dns:
        port = servers[0].place.rpartition(":")[2]
        with open_channel(f"dns://127.0.0.1:{dns}/models.test:{port}") as channel:
            assert called(channel, 1) == []
            addresses.append("127.0.0.2")
            failed = []
            wait_until(lambda: failed.extend(called(channel, 1)) or servers[1].calls)
            assert failed == []


def test_one_server_is_named_as_before():
    with (
        counting_servers(1) as servers,
        open_channel(f"dns:///localhost:{servers[0].place.rpartition(':')[2]}") as channel,
    ):
        assert called(channel, 3) == []
        assert servers[0].calls == 3


def test_addresses_of_ipv6_are_a_list_too():
    assert grpc_target(["[::1]:1", "[fd00::2]:2"]) == "ipv6:[::1]:1,[fd00::2]:2"


@pytest.mark.parametrize("place", ["models:8500", "10.0.0.1", "10.0.0.1:", "::1:1", "dns:///a:1"])
def test_what_is_no_address_is_refused_in_a_list(place):
    with pytest.raises(ValueError, match=r"Expected an address with its port.*dns:///name"):
        open_channel(["10.0.0.1:8500", place])


@pytest.mark.parametrize("several", [[], ["10.0.0.1:1", "[::1]:1"]])
def test_no_address_and_two_kinds_of_them_are_refused(several):
    with pytest.raises(ValueError, match="all of IPv4 or all of IPv6, received"):
        open_channel(several)


def test_no_proxy_of_the_environment_catches_a_list(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with counting_servers(2) as servers, open_channel(places(servers)) as channel:
        assert called(channel, 2) == []
