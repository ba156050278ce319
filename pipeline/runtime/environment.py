"""Versions, variables and code that produced a result, to record with it."""

import contextlib
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from features.version import VERSION

_PACKAGES = (
    "tensorflow",
    "tf-keras",
    "tensorflow-recommenders",
    "apache-beam",
    "pyarrow",
    "duckdb",
    "numpy",
)

VARIABLES = (
    "TF_CONFIG",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "OMP_NUM_THREADS",
)
"""Environment variables that can change a result."""


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that decide results, and the CPUs.

    A package that is installed under another name, as `tensorflow-cpu` is, has no version here.
    """
    installed = {}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            installed[name] = metadata.version(name)
    return {"python": platform.python_version(), "cpus": str(os.cpu_count()), **installed}


def command(module: str) -> str:
    """Returns the command line of this process, started with `python -m module`."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


def variables() -> dict[str, str]:
    """Returns the environment variables that can change a result, where they are set."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def code() -> dict[str, str]:
    """Returns the version of this project's code, and its `commit` where it runs from a clone."""
    try:
        # A package installed below some other repository is not of that repository's commit.
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return {"version": VERSION, "commit": _git("rev-parse", "HEAD").strip()}
    except (OSError, subprocess.CalledProcessError):
        return {"version": VERSION}


def uncommitted() -> str:
    """Returns the uncommitted changes as a patch; empty without git or changes.

    Untracked files are not included.
    """
    return _git("diff", "--binary", "HEAD") if "commit" in code() else ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    run = subprocess.run(
        command, check=True, capture_output=True, text=True, errors="surrogateescape"
    )
    return run.stdout
