"""What a result was made with, to write beside it."""

import os
import platform
import shlex
import sys
from importlib import metadata

_PACKAGES = (
    "tensorflow",
    "tf-keras",
    "tensorflow-recommenders",
    "apache-beam",
    "pyarrow",
    "duckdb",
    "numpy",
)


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that decide results, and the CPUs."""
    installed = {name: metadata.version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), "cpus": str(os.cpu_count()), **installed}


def command(module: str) -> str:
    """Returns the command line of this process, started with `python -m module`."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])
