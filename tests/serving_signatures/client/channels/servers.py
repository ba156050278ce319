"""Servers that answer any call, on one port of several loopback addresses, and a DNS server."""

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.conftest import REPOSITORY
from tests.server_process import free_port

PATH = "/tensorflow.serving.PredictionService/Predict"
_TYPE_A = 1
_TTL_SECONDS = 5


class CountingServer(grpc.GenericRpcHandler):
    """Answers any call but those of health; counts them.

    Args:
      place: address and port.
      with_health: whether it has the health service, which begins as SERVING.
      seconds: how long it takes for an answer.
      options: of gRPC.
    """

    def __init__(self, place, with_health=False, seconds=0.0, options=()):
        self.place = place
        self.calls = 0
        self.seconds = seconds
        self.metadata = []
        self._server = grpc.server(
            futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0), *options]
        )
        self._server.add_generic_rpc_handlers((self,))
        self._health = health.HealthServicer()
        self.set_serving(True)
        if with_health:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_insecure_port(place)
        self._server.start()

    def set_serving(self, serving):
        states = health_pb2.HealthCheckResponse
        self._health.set("", states.SERVING if serving else states.NOT_SERVING)

    def stop(self):
        """Ends it at once, with the calls that it is answering."""
        self._server.stop(None).wait()

    def service(self, handler_call_details):
        if handler_call_details.method != PATH:
            return None
        return grpc.unary_unary_rpc_method_handler(self._answer)

    def _answer(self, request, context):
        self.calls += 1
        self.metadata.append(dict(context.invocation_metadata()))
        time.sleep(self.seconds)
        return b"ok"


@contextlib.contextmanager
def counting_servers(count, **options) -> Iterator[list[CountingServer]]:
    """Runs servers on one port of 127.0.0.1, 127.0.0.2 and so on."""
    port = free_port()
    servers = [CountingServer(f"127.0.0.{n + 1}:{port}", **options) for n in range(count)]
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()


@contextlib.contextmanager
def server_process(place, seconds=0.0) -> Iterator[subprocess.Popen]:
    """Runs a server in a process of its own, which a test may kill."""
    command = (
        "import time; from tests.serving_signatures.client.channels.servers import *; "
        f"server = CountingServer({place!r}, seconds={seconds}); print('listens', flush=True); "
        "time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", command], cwd=REPOSITORY, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline() == b"listens\n"
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def dns_server(addresses: list[str]) -> Iterator[int]:
    """Runs a DNS server that answers any name with what the list has then; yields its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    query, client = server.recvfrom(2048)
                    server.sendto(_dns_answer(query, list(addresses)), client)

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]


def _dns_answer(query: bytes, addresses: list[str]) -> bytes:
    question = query[12 : query.index(b"\0", 12) + 5]
    (kind,) = struct.unpack(">H", question[-4:-2])
    found = addresses if kind == _TYPE_A else []
    records = [
        b"\xc0\x0c"  # The name of the question.
        + struct.pack(">HHIH", _TYPE_A, 1, _TTL_SECONDS, 4)
        + socket.inet_aton(one)
        for one in found
    ]
    counts = struct.pack(">HHHH", 1, len(records), 0, 0)
    return query[:2] + b"\x81\x80" + counts + question + b"".join(records)


def called(channel, count, timeout=None):
    """Calls some times, one after the other; returns the codes of those that failed."""
    failed = []
    for _ in range(count):
        try:
            channel.unary_unary(PATH)(b"", timeout=timeout)
        except grpc.RpcError as error:
            failed.append(error.code().name)
    return failed


def wait_until(condition, seconds=20):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
