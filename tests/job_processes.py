"""Runs many commands of jobs, each in a process forked from one that has imported what they share.

Python and its libraries start once for all tests, so a command takes a fraction of what `python -m`
takes.
"""

import atexit
import dataclasses
import functools
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tests import quick_python
from tests.conftest import REPOSITORY

SHARED = ("pipeline.join.flags", "pipeline.training_runs.flags", "pipeline.runtime.entry_point")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
      code: its exit code.
      stdout, stderr: what it printed.
      modules: top-level packages that it had imported at its end.
    """

    code: int
    stdout: str
    stderr: str
    modules: list[str]


def run(
    commands: Sequence[Sequence[str]],
    preload: Sequence[str] = SHARED,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> list[Outcome]:
    """Runs commands, each a module and its arguments, one after another.

    Args:
      commands: for instance `["pipeline.train", "--help"]`.
      preload: modules that are imported once, before all commands; no entry point among them.
      environment: variables besides those of this process.
    """
    server = _server(tuple(preload))
    variables = {**os.environ, **environment}
    request = [quick_python.executable(), variables, [list(one) for one in commands]]
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    answer = server.stdout.readline()
    assert answer, "the process that runs commands has ended"
    return [Outcome(**values) for values in json.loads(answer)]


@functools.cache
def _server(preload: tuple[str, ...]) -> subprocess.Popen:
    """Starts the process that forks; it ends with this one."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.job_processes", *preload],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> None:
        server.stdin.close()
        server.wait()

    atexit.register(end)
    return server


def _run_forked(
    python: str, variables: Mapping[str, str], module: str, *arguments: str
) -> dict[str, object]:
    files = [tempfile.TemporaryFile("w+") for _ in range(3)]  # noqa: SIM115  Closed with the process.
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(files[0].fileno(), 1)
        os.dup2(files[1].fileno(), 2)
        os.environ.clear()
        os.environ.update(variables)
        sys.argv = [module, *arguments]
        sys.executable = python  # Where a job starts one.
        code = 1
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:  # noqa: BLE001  As the interpreter would: the loop is the parent's.
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        files[2].write(" ".join({name.split(".")[0] for name in sys.modules}))
        files[2].flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for file in files:
        file.seek(0)
    stdout, stderr, modules = (file.read() for file in files)
    return {"code": code, "stdout": stdout, "stderr": stderr, "modules": modules.split()}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        __import__(name)
    for line in sys.stdin:
        python, variables, commands = json.loads(line)
        outcomes = [_run_forked(python, variables, *command) for command in commands]
        print(json.dumps(outcomes), flush=True)
