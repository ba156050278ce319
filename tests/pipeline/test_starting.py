"""What a command loads before it does anything."""

import subprocess
import sys

from pipeline.runtime import job_list
from tests.conftest import REPOSITORY


def test_commands_start_without_tensorflow_and_beam():
    names = [f"pipeline.{name}" for name in job_list.names()]
    shown = "'tensorflow' in sys.modules, 'apache_beam' in sys.modules"
    code = "import sys\n" + "".join(
        f"import {name}\nprint({name!r}, {shown})\n"
        for name in (*names, "models.dmf", "pipeline.join.job")
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    expected = [f"{name} False False" for name in names]
    seen = ["models.dmf True False", "pipeline.join.job True True"]
    assert run.stdout.splitlines() == [*expected, *seen]
