"""A proxy of the environment that catches a call to a server here is named in its error."""

import contextlib
import os
import socket
import threading

import grpc
import numpy as np
import pytest

from serving_signatures.client.channel import open_channel
from serving_signatures.client.remote_model import RemoteModel


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        monkeypatch.delenv(name)


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that refuses everything; returns its URL and what it was asked."""
    asked = []
    server = socket.create_server(("127.0.0.1", 0))

    def refuse():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                asked.append(connection.recv(1 << 16).decode(errors="replace"))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                connection.close()

    threading.Thread(target=refuse, daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.getsockname()[1]}", asked
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def failure(target):
    """The error of a call by the client."""
    with open_channel(target, timeout_seconds=5, attempts=1) as channel:
        model = RemoteModel(channel, "dmf")
        with pytest.raises(grpc.RpcError) as raised:
            model.call("score_request", {"x": np.zeros(1)})
        with pytest.raises(grpc.RpcError) as again:
            model.call_each("score_request", [{"x": np.zeros(1)}] * 2, None)
        assert type(again.value) is type(raised.value)
    return raised.value


CASES = [
    # Variables (True is the proxy), the target's host, which variable catches the call.
    ({}, "localhost", None),
    ({"http_proxy": True}, "localhost", "http_proxy"),
    ({"https_proxy": True}, "127.0.0.1", "https_proxy"),
    ({"grpc_proxy": True, "http_proxy": "http://127.0.0.1:9"}, "localhost", "grpc_proxy"),
    ({"HTTP_PROXY": True}, "localhost", None),
    ({"http_proxy": True, "no_proxy": "example.com, localhost"}, "localhost", None),
    ({"http_proxy": True, "no_proxy": "localhost"}, "127.0.0.1", "http_proxy"),
    ({"http_proxy": True, "no_proxy": "127.0.0.0/8"}, "127.0.0.1", None),
    ({"http_proxy": True, "no_proxy": ".localhost"}, "localhost", None),
    ({"http_proxy": True, "no_proxy": "host"}, "localhost", "http_proxy"),
    ({"http_proxy": True, "no_proxy": "*"}, "localhost", "http_proxy"),
    ({"http_proxy": True, "NO_PROXY": "localhost"}, "localhost", "http_proxy"),
    (
        {"http_proxy": True, "no_grpc_proxy": "x", "no_proxy": "localhost"},
        "localhost",
        "http_proxy",
    ),
]


@pytest.mark.parametrize(("variables", "host", "catching"), CASES)
def test_the_error_names_the_variable_that_catches_the_call(
    monkeypatch, proxy, variables, host, catching
):
    url, asked = proxy
    for name, value in variables.items():
        monkeypatch.setenv(name, url if value is True else value)
    error = failure(f"{host}:{free_port()}")
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    # What we say is what grpc does.
    assert bool(asked) == (catching is not None)
    assert ("catches calls" in str(error)) == (catching is not None)
    if catching is not None:
        place = url.rpartition("@")[2]
        assert f"{catching}={place} catches calls to {host}: export no_" in error.details()
        assert f"{host}" in str(error).rpartition("=")[2]
        assert "secret" not in str(error)


class PassesOn(grpc.UnaryUnaryClientInterceptor):
    """An interceptor of the caller's."""

    def intercept_unary_unary(self, continuation, client_call_details, request):
        return continuation(client_call_details, request)


def test_an_interceptor_of_the_caller_sees_the_named_error(monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy[0])
    with open_channel(f"localhost:{free_port()}", timeout_seconds=5, attempts=1) as channel:
        model = RemoteModel(grpc.intercept_channel(channel, PassesOn()), "dmf")
        for call in (
            lambda: model.call("s", {"x": np.zeros(1)}),
            lambda: model.call_each("s", [{"x": np.zeros(1)}] * 2, 1),
            lambda: model.signatures(),
        ):
            with pytest.raises(grpc.RpcError, match=r"http_proxy=.* catches calls to localhost"):
                call()


def test_following_the_advice_mends_it(monkeypatch, proxy):
    url, asked = proxy
    monkeypatch.setenv("http_proxy", url)
    monkeypatch.setenv("no_proxy", "example.com")
    target = f"localhost:{free_port()}"
    advice = str(failure(target)).rpartition("export ")[2]
    assert advice == "no_proxy=example.com,localhost"
    asked.clear()
    monkeypatch.setenv(*advice.split("="))
    assert "catches calls" not in str(failure(target)) and not asked
