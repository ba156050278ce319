"""The jobs with kernels, as commands: training, export, the list of versions, backfill."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.pipeline.training_runs import every_model


def run(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow(seconds=90)
def test_a_model_is_trained_exported_listed_and_projected_with_kernels(
    kernels, tmp_path, monkeypatch
):
    monkeypatch.setenv("DMF_KERNELS", "on")
    every_model.write_tables(tmp_path)
    run(*every_model.join(tmp_path))
    run(*every_model.train(tmp_path, "dmf"), "--set", "training.kernels=on")
    run(*every_model.export(tmp_path, "dmf"), *every_model.embeddings(tmp_path), "--kernels")
    versions = tmp_path / "serving" / "dmf"
    listed = run("pipeline.models", "list", f"--export_dir={versions}")
    assert "kernels" in listed
    run(
        "pipeline.backfill",
        f"--saved_model={versions / '1'}",
        f"--items={tmp_path / 'items'}",
        f"--output={tmp_path / 'projections'}",
    )


@pytest.mark.slow(seconds=30)
def test_one_to_four_threads_compute_the_same_bits(kernels):
    hashes = {run("tests.kernels.threads", str(count)).splitlines()[0] for count in (1, 2, 3, 4)}
    assert len(hashes) == 1
    assert len(hashes.pop()) == 64
