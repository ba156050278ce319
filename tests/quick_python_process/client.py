"""Runs a Python program as `python` does, forked by `server`.

A program called `python` calls `main`. It answers

    python -m pipeline.JOB [ARGUMENT ...]
    python FILE.py [ARGUMENT ...]

Any other command line, and one that the server refuses, starts the interpreter instead.
Signals are handed on. This process ends as the program does: by its exit code or its signal.
"""

import marshal
import os
import resource
import signal
import socket
import struct
import sys

REFUSED = 1 << 16
"""Stands in the place of an exit code."""

_HANDED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def main(address: str, program: str, arguments: list[str]) -> None:
    """Runs a command, which ends this process.

    Args:
      address: of the server.
      program: path of the program that calls this.
      arguments: its arguments.
    """
    first, second = [*arguments, "", ""][:2]
    is_file = first.endswith(".py") and os.path.isfile(first)
    served = is_file or (first == "-m" and second.startswith("pipeline."))
    code = _ask(address, program, arguments) if served else REFUSED
    if code == REFUSED:
        os.execv(sys.executable, [sys.executable, *arguments])
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def limits() -> list[tuple[int, int]]:
    """Returns what `ulimit` shows."""
    return [resource.getrlimit(number) for number in range(16)]


def _ask(address: str, program: str, arguments: list[str]) -> int:
    """Returns the exit code, negative for a signal, or `REFUSED`."""
    ignored = [int(one) for one in _HANDED_ON if signal.getsignal(one) == signal.SIG_IGN]
    handed_on = [one for one in _HANDED_ON if one not in ignored]
    mask = os.umask(0)
    os.umask(mask)
    request = {
        "arguments": arguments,
        "executable": program,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "ignored": ignored,
        "limits": limits(),
        "umask": mask,
    }
    body = marshal.dumps(request)
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    before = {one: signal.getsignal(one) for one in handed_on}
    for one in handed_on:
        signal.signal(one, lambda number, _: connection.send(bytes([number])))
    socket.send_fds(connection, [struct.pack("<i", len(body))], [0, 1, 2])
    connection.sendall(body)
    answer = connection.recv(4)
    for one, handler in before.items():
        signal.signal(one, handler)
    if len(answer) < 4:
        raise SystemExit("tests.quick_python_process.server has ended")
    (code,) = struct.unpack("<i", answer)
    return int(code)
