"""A program that `quick_python` runs is as one that the interpreter runs."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests import quick_python
from tests.conftest import REPOSITORY


@functools.cache
def own_python() -> str:
    """Returns a quick Python that starts now: what tests before this one set is there already."""
    return quick_python.executable.__wrapped__()


# What a program sees of the process that it is.
SHOW = """
import __main__, json, os, resource, signal, sys
mask = os.umask(0)
print(json.dumps({
    "argv": sys.argv,
    "path": sys.path,
    "folder": os.getcwd(),
    "environment": {k: v for k, v in os.environ.items() if k not in ("_", "PATH")},
    "main": [__name__, __main__.__file__, __main__.__spec__ is None, "SHOWN" in vars(__main__)],
    "ignored": [int(one) for one in signal.Signals if signal.getsignal(one) == signal.SIG_IGN],
    "files": sorted(os.listdir("/proc/self/fd"))[:3],
    "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "umask": mask,
    "stdin": sys.stdin.read(),
    "stdout": [sys.stdout.line_buffering, sys.stdout.encoding, sys.stdout.isatty()],
    "parent": open(f"/proc/{os.getppid()}/cmdline").read(),
    "ours": sorted({name.split(".")[0] for name in sys.modules} & {"features", "pipeline"}),
}))
SHOWN = 1
"""
ENDS = {
    "code": "raise SystemExit(7)",
    "text": "raise SystemExit('what was wrong')",
    "nothing": "pass",
    "at exit": "import atexit; atexit.register(print, 'last'); print('first')",
    "thread": (
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('joined'))).start()"
    ),
    "at once": "import os; print('lost'); os._exit(3)",
    "signal": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "stderr": "import sys; sys.stderr.write('to stderr'); print('to stdout')",
}


@pytest.fixture(scope="module", params=["quick", "real"])
def python(request):
    return own_python() if request.param == "quick" else sys.executable


def run(python, *arguments, **options):
    options = {"stdin": subprocess.DEVNULL, **options}
    if "input" in options:
        del options["stdin"]
    return subprocess.run(
        [python, *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def both(*arguments, **options):
    return [run(one, *arguments, **options) for one in (own_python(), sys.executable)]


def write(path, code):
    path.write_text(code, encoding="utf-8")
    return path


def test_a_program_sees_what_it_would_see(tmp_path):
    path, environment = write(tmp_path / "show.py", SHOW), {**os.environ, "TF_CONFIG": "{}"}
    environment["PYTHONPATH"] = f"{tmp_path}:relative"
    options = {"cwd": tmp_path, "env": environment, "input": "given", "umask": 0o027}
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    quick, real = both(path.name, "a b", "--c=d", **options)
    assert quick.returncode == 0, quick.stderr
    seen, expected = json.loads(quick.stdout), json.loads(real.stdout)
    assert "tests.quick_python_process.server" in seen.pop("parent")
    assert "tests.quick_python_process.server" not in expected.pop("parent")
    assert seen == expected
    assert seen["stdin"] == "given"


@pytest.mark.parametrize("code", ENDS.values(), ids=ENDS)
def test_a_program_ends_as_it_would_end(tmp_path, code):
    quick, real = both(write(tmp_path / "end.py", code))
    assert quick.returncode == real.returncode
    assert (quick.stdout, quick.stderr) == (real.stdout, real.stderr)


def test_an_exception_is_shown(tmp_path):
    quick, real = both(write(tmp_path / "raise.py", "def f():\n    1 / 0\nf()\n"))
    assert quick.returncode == real.returncode == 1
    assert real.stderr.partition("\n")[2] in quick.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "pipeline.runs", "--help"),
        ("-m", "pipeline.runs", "--folder=absent"),
        ("-m", "pipeline.absent"),
        ("-c", "print(2)"),
        ("absent.py",),
        (),
    ],
    ids=" ".join,
)
def test_a_command_line_gives_what_it_would_give(arguments):
    quick, real = both(*arguments, cwd=REPOSITORY)
    assert quick.returncode == real.returncode
    assert quick.stdout == real.stdout
    if arguments != ("absent.py",):
        assert quick.stderr.replace(own_python(), sys.executable) == real.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"env": {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0"}},
        {"env": {**os.environ, "PYTHONWARNINGS": "error"}},
    ],
    ids=["library", "interpreter"],
)
def test_what_is_read_at_the_start_starts_the_interpreter(tmp_path, options):
    code = "import sys; print('tensorflow' in sys.modules, sys.warnoptions)"
    quick, real = both(write(tmp_path / "p.py", code), **options)
    assert quick.stdout == real.stdout and quick.stdout.startswith("False")


@pytest.mark.parametrize("legacy", ["0", pytest.param("1", marks=pytest.mark.slow(seconds=6))])
def test_a_program_chooses_its_keras(tmp_path, legacy):
    code = "import tensorflow as tf; print(tf.keras.Model.__module__)"
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": legacy}
    quick, real = both(write(tmp_path / "p.py", code), env=environment)
    assert quick.stdout == real.stdout
    assert quick.stdout.startswith("tf_keras" if legacy == "1" else "keras")


def test_two_programs_have_other_random_numbers(tmp_path):
    code = "import random, numpy as np; print(random.random(), np.random.random())"
    path = write(tmp_path / "p.py", code)
    drawn = [run(own_python(), path).stdout.split() for _ in range(2)]
    assert len({number for one in drawn for number in one}) == 4


def test_what_a_program_starts_with_python_is_quick_too(tmp_path):
    inner = write(
        tmp_path / "p.py", "import os; print(open(f'/proc/{os.getppid()}/cmdline').read())"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, {str(inner)!r}], check=True)"
    done = run(own_python(), write(tmp_path / "outer.py", code))
    assert "tests.quick_python_process.server" in done.stdout


@contextlib.contextmanager
def started(python, tmp_path, code):
    path = write(tmp_path / "wait.py", code)
    process = subprocess.Popen([python, path], stdout=subprocess.PIPE, text=True)
    with process:
        yield process, int(process.stdout.readline())


WAIT = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n"
CATCH = f"""
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
{WAIT}
"""


@pytest.mark.parametrize(("code", "ended"), [(WAIT, -signal.SIGTERM), (CATCH, 75)])
def test_a_signal_is_handed_on(python, tmp_path, code, ended):
    with started(python, tmp_path, code) as (process, _):
        process.terminate()
        assert process.wait(20) == ended


def test_nothing_is_left_of_a_killed_one(python, tmp_path):
    with started(python, tmp_path, WAIT) as (process, program):
        process.kill()
        assert process.wait(20) == -signal.SIGKILL
        for _ in range(200):
            if not os.path.exists(f"/proc/{program}"):
                return
            time.sleep(0.05)
    pytest.fail("the program runs on")
