"""The development server in a process of its own, which says how many calls it has answered.

    python -m benchmarks.measuring.counted_server FOLDER HOST:PORT

It prints the count for each SIGUSR1, and `listens` when it does.
"""

import signal
import socket
import subprocess
import sys
from typing import Any

_THREADS = 4
_GRACE_SECONDS = 5.0
_POLL_SECONDS = 1.0


class CallCount:
    """Counts the calls that a server has answered; stands for a request log."""

    def __init__(self) -> None:
        self.calls = 0

    def offer(self, request: Any, response: Any, seconds: float) -> None:
        """Counts a call."""
        self.calls += 1

    def counts(self) -> dict[str, int]:
        """Returns the count."""
        return {"calls": self.calls}


class CountedServer:
    """Starts the server, and waits until it listens.

    Args:
      folder: the model's.
      address: `host:port`.
    """

    def __init__(self, folder: str, address: str) -> None:
        self.address = address
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measuring.counted_server", folder, address],
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._line() != "listens":
            raise RuntimeError(f"No server came up on {address}.")

    def calls(self) -> int:
        """Returns how many calls it has answered."""
        self.process.send_signal(signal.SIGUSR1)
        return int(self._line())

    def _line(self) -> str:
        if self.process.stdout is None:
            raise RuntimeError("The server's output is not read.")
        return self.process.stdout.readline().strip()


def free_port() -> int:
    """Returns a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _main(folder: str, address: str) -> None:
    from pipeline.local_serving.model_folder import open_model
    from pipeline.local_serving.services import serve

    count = CallCount()
    signal.signal(signal.SIGUSR1, lambda *_: print(count.calls, flush=True))
    model = open_model(folder)
    print("listens", flush=True)
    serve(model, address, _THREADS, _POLL_SECONDS, _GRACE_SECONDS, count)


if __name__ == "__main__":
    _main(*sys.argv[1:])
