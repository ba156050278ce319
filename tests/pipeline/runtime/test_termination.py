"""SIGTERM: training saves, exits with the code that schedulers retry, and goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest

from features.files import manifest
from models.training.loop import StoppedError
from pipeline.runtime import exit_codes, termination
from tests import synthetic

SETTINGS = (
    "--set=model.name=id_only",
    "--set=model.hidden=(8,)",
    "--set=model.cross_layers=0",
    "--set=training.batch_candidates=16",
    "--set=training.epochs=4",
    "--set=training.evaluations_per_epoch=1",
)


def test_a_signal_is_a_request_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, termination.saving() as requested:
        assert not requested()
        os.kill(os.getpid(), signal.SIGTERM)
        assert requested()
        raise StoppedError
    assert ended.value.code == exit_codes.RETRY == 75
    assert signal.getsignal(signal.SIGTERM) is before


def test_other_errors_pass():
    with pytest.raises(KeyError), termination.saving():
        raise KeyError("other")


@pytest.mark.slow(seconds=30)
def test_a_training_that_is_asked_to_stop_saves_and_resumes(tmp_path):
    synthetic.write_example_set(str(tmp_path / "examples"))
    model = tmp_path / "model"
    paths = [f"--examples={tmp_path}/examples", f"--model_dir={model}"]
    command = [sys.executable, "-m", "pipeline.train", *paths, *SETTINGS]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(model.glob("backup/*/states/step-[1-9]*.index")):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 75, output
    assert "run the same command to resume" in output
    assert "Traceback" not in output
    assert not (model / manifest.FILE_NAME).exists()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "Resuming after step" in again.stderr
    assert (model / manifest.FILE_NAME).exists()
