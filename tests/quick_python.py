"""A `python` for tests that start many programs: it loads no large library again.

`executable()` is used as `sys.executable` is; `quick_python_process.server` says what is different.
Where the process itself is tested, how it starts, what it loads or how it is killed, a test starts
the interpreter.
"""

import atexit
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY

_TEXT = """#!{interpreter} -IS
import sys
sys.path.insert(0, {clients!r})
from client import main
main({address!r}, sys.argv[0], sys.argv[1:])
"""


@functools.cache
def executable() -> str:
    """Returns the path of a program called `python`, and starts what it needs; ends with this."""
    folder = tempfile.TemporaryDirectory(prefix="python-")
    address = f"{folder.name}/socket"
    python = Path(folder.name, "python")
    text = _TEXT.format(
        interpreter=sys.executable,
        address=address,
        clients=str(Path(__file__).parent / "quick_python_process"),
    )
    python.write_text(text, encoding="utf-8")
    python.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.quick_python_process.server", address],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    server.stdout.readline()

    def end() -> None:
        server.stdin.close()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    return str(python)


def run_job(job: str, *arguments: object, **options) -> subprocess.CompletedProcess:
    """Runs `python -m JOB` to its end, in the repository unless `cwd` says otherwise.

    Args:
      job: for instance `pipeline.train`.
      arguments: of its command line.
      options: of `subprocess.run`.
    """
    command = [executable(), "-m", job, *map(str, arguments)]
    options = {"cwd": REPOSITORY, "check": False, **options}
    return subprocess.run(command, capture_output=True, text=True, **options)
