"""The jobs that can be submitted: all but the submission itself."""

import subprocess
import sys
from collections.abc import Sequence

from features.errors import UserInputError
from pipeline.runtime import exit_codes, job_list


def names() -> list[str]:
    """Returns the names of all jobs, sorted."""
    return sorted(set(job_list.names()) - {"submit"})


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
    if done.returncode == exit_codes.USER_ERROR:
        message = done.stderr[done.stderr.rfind("Error: ") :].removeprefix("Error: ").strip()
        raise UserInputError(f"Nothing was submitted, --job {job} refuses its flags: {message}")
    if done.returncode:
        raise RuntimeError(f"{checked} exited with {done.returncode}: {done.stderr}")
