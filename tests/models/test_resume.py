"""A training that was killed goes on after its last evaluation."""

import subprocess
import sys
from pathlib import Path

import pytest

from features import manifest
from models.example_set import ExampleSet
from models.model_config import ModelConfig
from models.training import train
from models.training_config import TrainingConfig
from tests import synthetic

CONFIGS = (
    ModelConfig(hidden=(8,), embedding_width=4, head_width=4),
    TrainingConfig(batch_candidates=64, learning_rate=0.01),
)

KILLED = """
import os, signal, sys
from models import progress, training
from models.example_set import ExampleSet
from tests.models.test_resume import CONFIGS

begun = progress.Progress.on_epoch_begin

def killed(self, epoch, logs=None):
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    begun(self, epoch, logs)

progress.Progress.on_epoch_begin = killed
training.train(ExampleSet.open(sys.argv[1]), *CONFIGS, sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_run_keeps_its_history_and_trains_the_rest(tmp_path: Path) -> None:
    examples, folder = str(tmp_path / "examples"), str(tmp_path / "model")
    synthetic.write_example_set(examples)
    run = subprocess.run([sys.executable, "-c", KILLED, examples, folder], check=False)
    assert run.returncode == -9
    assert not (tmp_path / "model" / manifest.FILE_NAME).exists()
    _, figures = train(ExampleSet.open(examples), *CONFIGS, folder)
    steps = [row["step"] for row in figures["history"]]
    assert steps == [steps[0] * count for count in (1, 2, 3, 4)]
    assert figures["steps"] == 2 * steps[0], "only what the killed run had not done"
    assert not (tmp_path / "model" / "backup").exists()
