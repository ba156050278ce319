"""The jobs that can be submitted: every module of `pipeline` with a `main`."""

import pkgutil
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources

import pipeline
from features.errors import UserInputError
from pipeline.runtime.entry_point import USER_ERROR_CODE

_NOT_A_JOB = ("submit",)


def names() -> list[str]:
    """Returns the names of all jobs, sorted."""
    package = resources.files(pipeline)
    return sorted(
        module.name
        for module in pkgutil.iter_modules(pipeline.__path__)
        if not module.ispkg
        and module.name not in _NOT_A_JOB
        and re.search(r"^def main\(\)", package.joinpath(f"{module.name}.py").read_text(), re.M)
    )


def command(job: str, flags: Sequence[str], python: str = "python") -> list[str]:
    """Returns the command line of a job with its own flags."""
    return [python, "-m", f"pipeline.{job}", *flags]


def check_flags(job: str, flags: Sequence[str]) -> None:
    """Runs the job with `--only_check_args`, so that it checks its flags before the submission.

    Raises:
      UserInputError: the job refuses its flags; has the job's message.
    """
    # First: after a positional argument or a `--` it would not be read as a flag.
    checked = command(job, ["--only_check_args", *flags], sys.executable)
    done = subprocess.run(checked, capture_output=True, text=True, check=False)
    if done.returncode == USER_ERROR_CODE:
        message = done.stderr[done.stderr.rfind("Error: ") :].removeprefix("Error: ").strip()
        raise UserInputError(f"Nothing was submitted, --job {job} refuses its flags: {message}")
    if done.returncode:
        raise RuntimeError(f"{checked} exited with {done.returncode}: {done.stderr}")
