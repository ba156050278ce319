"""After an outage a channel is back within about a second of the server."""

import contextlib
import itertools
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent import futures

import grpc
import pytest

from serving_signatures.client.channel import open_channel
from tests.conftest import REPOSITORY
from tests.server_process import free_port

PATH = "/tensorflow.serving.PredictionService/Predict"


class Answers(grpc.GenericRpcHandler):
    """Answers any call but those of health."""

    def service(self, handler_call_details):
        if handler_call_details.method != PATH:
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"ok")


@contextlib.contextmanager
def serving_on(port):
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((Answers(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield
    server.stop(None).wait()


def calls_fail(channel, seconds):
    """Calls for some seconds, without an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(PATH)(b"")
        time.sleep(0.05)


def seconds_until_answered(channel):
    begin = time.monotonic()
    while True:
        with contextlib.suppress(grpc.RpcError):
            channel.unary_unary(PATH)(b"")
            return time.monotonic() - begin
        assert time.monotonic() - begin < 60
        time.sleep(0.02)


# By default grpc would have waited up to four seconds here, and two minutes after longer outages.
@pytest.mark.slow(seconds=12)
def test_calls_are_answered_within_a_second_of_the_servers_return():
    port = free_port()
    with open_channel(f"127.0.0.1:{port}") as channel:
        for outage in (3, 7):
            with serving_on(port):
                assert seconds_until_answered(channel) < 1
            calls_fail(channel, outage)
        with serving_on(port):
            assert seconds_until_answered(channel) < 1


def test_attempts_to_connect_never_lie_further_apart_than_a_second():
    moments = []
    with socket.create_server(("127.0.0.1", 0)) as closing:

        def close():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = closing.accept()
                    moments.append(time.monotonic())
                    connection.close()

        threading.Thread(target=close, daemon=True).start()
        with open_channel(f"127.0.0.1:{closing.getsockname()[1]}") as channel:
            calls_fail(channel, 4)
        closing.shutdown(socket.SHUT_RDWR)
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert len(gaps) >= 5 and max(gaps) < 1


def test_an_attempt_that_is_never_answered_is_given_up_within_a_second():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        open_channel(f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=30) as channel,
    ):
        begin = time.monotonic()
        calls_fail(channel, 0.1)
        assert 1 <= time.monotonic() - begin < 3


IN_ITS_OWN_NETWORK = """
    import subprocess, sys, time
    from serving_signatures.client.channel import open_channel
    from tests.serving_signatures.client.test_outages import *

    def network(state):
        subprocess.run(["ip", "link", "set", "lo", state], check=True)

    network("up")
    with serving_on(23999), open_channel("127.0.0.1:23999", timeout_seconds=0.5) as channel:
        seconds_until_answered(channel)
        network("down")
        calls_fail(channel, 9)
        network("up")
        print(seconds_until_answered(channel))
"""


# The connection lives through it: TCP alone would send again up to as much later as it lasted.
@pytest.mark.slow(seconds=15)
def test_calls_are_answered_within_a_second_of_the_networks_return():
    own = ["unshare", "--net", "--map-root-user"]
    try:
        subprocess.run([*own, "ip", "link", "set", "lo", "up"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network of its own here: {error}")
    ended = subprocess.run(
        [*own, sys.executable, "-c", textwrap.dedent(IN_ITS_OWN_NETWORK)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(ended.stdout) < 1
