"""Runs many commands of jobs, each in a process forked from one that has imported what they share.

Python and its libraries start once, so a command takes a fraction of what `python -m` takes.
"""

import dataclasses
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Sequence

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


def run(commands: Sequence[Sequence[str]], preload: Sequence[str] = SHARED) -> list[Outcome]:
    """Runs commands, each a module and its arguments, one after another.

    Args:
      commands: for instance `["pipeline.train", "--help"]`.
      preload: modules that are imported once, before all commands; no entry point among them.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.job_processes", *preload],
        input=json.dumps([quick_python.executable(), [list(one) for one in commands]]),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Outcome(**values) for values in json.loads(done.stdout)]


def _run_forked(python: str, module: str, *arguments: str) -> dict:
    files = [tempfile.TemporaryFile("w+") for _ in range(3)]  # noqa: SIM115  Closed with the process.
    child = os.fork()
    if child == 0:
        os.dup2(files[0].fileno(), 1)
        os.dup2(files[1].fileno(), 2)
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
    python, commands = json.load(sys.stdin)
    json.dump([_run_forked(python, *command) for command in commands], sys.stdout)
