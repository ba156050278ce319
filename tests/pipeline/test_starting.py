"""What a command loads before it does anything."""

import subprocess
import sys

from tests.conftest import REPOSITORY


def test_commands_that_run_no_model_start_without_tensorflow():
    names = ("backfill", "build_examples", "ingest_embeddings", "inspect_data", "models", "runs")
    code = "import sys\n" + "".join(
        f"import pipeline.{name}\nprint({name!r}, 'tensorflow' in sys.modules)\n"
        for name in (*names, "submit", "train")
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    expected = [f"{name} False" for name in (*names, "submit")]
    assert run.stdout.splitlines() == [*expected, "train True"]
