"""What a forked process does to be as a new one, and what is loaded before."""

import gc
import importlib
import logging
import os
import runpy
import signal
import sys
import types
from typing import Any

LIBRARIES = (
    *("numpy", "pyarrow.parquet", "pyarrow.dataset", "pyarrow.fs", "absl.app"),
    *("apache_beam", "apache_beam.runners.portability.fn_api_runner.fn_runner"),
    # What stands on Keras would choose one of the two for every program.
    *("tensorflow", "tf_keras"),
)


def load() -> None:
    """Loads the libraries, and leaves nothing else of this in the process."""
    environment = dict(os.environ)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    for name in LIBRARIES:
        importlib.import_module(name)
    os.environ.clear()
    os.environ.update(environment)
    logging.getLogger().handlers.clear()
    gc.collect()
    gc.freeze()


def run(request: dict[str, Any], library_paths: list[str]) -> None:
    """Runs a program as the interpreter does; its end is this process's."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    os.umask(request["umask"])
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    # Where a program starts Python, it starts this one.
    sys.executable = request["executable"]
    sys.modules["numpy"].random.seed()  # Python's own generator starts anew in a fork.
    first, *arguments = request["arguments"]
    is_module = first == "-m"
    folder = request["folder"] if is_module else os.path.dirname(os.path.realpath(first))
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [folder, *(os.path.abspath(one) for one in given if one), *library_paths]
    if any(os.path.isfile(os.path.join(one, "sitecustomize.py")) for one in given):
        importlib.import_module("sitecustomize")
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    if is_module:
        sys.argv = arguments
        runpy._run_module_as_main(arguments[0])  # type: ignore[attr-defined]  As `python -m`.
        return
    sys.argv = [first, *arguments]
    path = os.path.abspath(first)
    module.__file__ = path
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    exec(code, module.__dict__)  # noqa: S102  As `python FILE`.
