"""Forks Python programs from a process that has loaded the large libraries, for `quick_python`.

python -m tests.quick_python_process.server SOCKET

A program that is forked here runs as the interpreter would run it, up to its end, and loads this
project's modules itself. Only loading TensorFlow and Beam, four seconds of processor time, is done
before. What the interpreter or a library reads as it starts has to be as it was for this process:
a request with other environment variables than `_CHANGEABLE` ones is refused, and one with other
limits. `QUICK_PYTHON_REFUSALS=FILE` collects what was refused, and for which variables.
"""

import contextlib
import marshal
import os
import select
import signal
import socket
import struct
import sys
from typing import Any

from tests.quick_python_process import program
from tests.quick_python_process.client import REFUSED, limits

# Variables that are read when they are used, and no earlier.
_CHANGEABLE = (
    *("PWD", "OLDPWD", "SHLVL", "_", "PATH", "PYTHONPATH", "TMPDIR", "COLUMNS", "LINES"),
    *("TF_CONFIG", "TF_USE_LEGACY_KERAS", "FAULTS", "NO_PROXY", "no_proxy"),
    # TensorFlow sets them as it loads: where a test has loaded it, they are there.
    *("TF2_BEHAVIOR", "TPU_ML_PLATFORM", "TPU_ML_PLATFORM_VERSION", "KMP_DUPLICATE_LIB_OK"),
    # So do scikit-learn and Polars.
    *(
        "KMP_INIT_AT_FORK",
        "_RJEM_MALLOC_CONF",
        "HDF5_PLUGIN_PATH",
        "ENABLE_RUNTIME_UPTIME_TELEMETRY",
    ),
)
_CHANGEABLE_PREFIXES = ("AWS_", "S3_", "PYTEST_", "OPENLINEAGE_")

Request = dict[str, Any]


class Server:
    """Programs, and the clients that wait for them."""

    def __init__(self, path: str):
        self._poll = select.poll()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen(64)
        self._environment, self._limits = _fixed(os.environ), limits()
        # By file descriptor: of a client's connection, and of its program's process.
        self._clients: dict[int, tuple[socket.socket, int]] = {}
        self._programs: dict[int, int] = {}

    def serve(self) -> Request:
        """Answers requests until stdin ends; returns in the processes that it forks."""
        self._poll.register(0, select.POLLIN)
        self._poll.register(self._listening, select.POLLIN)
        while True:
            # One at a time: what it closes may be another's descriptor afterwards.
            one, _ = self._poll.poll()[0]
            if one == 0:
                for _, child in self._clients.values():
                    _kill(child)
                os._exit(0)
            elif one == self._listening.fileno():
                if request := self._accept():
                    return request
            elif one in self._programs:
                self._tell_end(one)
            else:
                self._hand_on(one)

    def _accept(self) -> Request | None:
        """Forks a program; returns its request in its own process."""
        client, _ = self._listening.accept()
        files: list[int] = []
        with contextlib.ExitStack() as stack:
            try:
                request = _received(client, files)
            except (OSError, EOFError):
                return client.close()
            finally:
                for file in files:
                    stack.callback(os.close, file)
            if _fixed(request["environment"]) != self._environment or (
                request["limits"] != self._limits
            ):
                self._note_refusal(request)
                client.sendall(struct.pack("<i", REFUSED))
                return client.close()
            child = os.fork()
            if child == 0:
                os.setsid()  # So that it can be killed with what it starts.
                for number, file in enumerate(files):
                    os.dup2(file, number)
                os.closerange(3, 1 + max(*files, client.fileno(), *self._programs, *self._clients))
                stack.pop_all()
                return request
        program = os.pidfd_open(child)
        self._clients[client.fileno()] = (client, child)
        self._programs[program] = client.fileno()
        self._poll.register(client, select.POLLIN)
        self._poll.register(program, select.POLLIN)
        return None

    def _note_refusal(self, request: Request) -> None:
        if path := os.environ.get("QUICK_PYTHON_REFUSALS"):
            different = _fixed(request["environment"]).items() ^ self._environment.items()
            names = sorted({name for name, _ in different})
            with open(path, "a", encoding="utf-8") as file:
                file.write(f"{names} {request['arguments'][:4]}\n")

    def _tell_end(self, program: int) -> None:
        client, child = self._clients.pop(self._programs.pop(program))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self._poll.unregister(program)
        with contextlib.suppress(KeyError):
            self._poll.unregister(client)
        os.close(program)
        with contextlib.suppress(OSError):  # It was killed.
            client.sendall(struct.pack("<i", code))
        client.close()

    def _hand_on(self, one: int) -> None:
        client, child = self._clients[one]
        if numbers := client.recv(64):
            for number in numbers:
                os.kill(child, number)
        else:
            # The client was killed, and so is what it stands for.
            _kill(child)
            self._poll.unregister(client)


def _fixed(environment: Any) -> dict[str, str]:
    """Returns the variables that have to be as they were when the libraries were loaded."""
    return {
        name: text
        for name, text in environment.items()
        if name not in _CHANGEABLE and not name.startswith(_CHANGEABLE_PREFIXES)
    }


def _received(client: socket.socket, files: list[int]) -> Request:
    head, given, *_ = socket.recv_fds(client, 4, 3)
    files += given
    body = b""
    (size,) = struct.unpack("<i", head)
    while len(body) < size:
        if not (more := client.recv(size - len(body))):
            raise EOFError
        body += more
    request: Request = marshal.loads(body)  # Of this user's own client.
    return request


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    own = len([one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one])
    after = sys.path[1 + own :]
    server = Server(sys.argv[1])
    print("listening", flush=True)
    program.load()
    program.run(server.serve(), after)
