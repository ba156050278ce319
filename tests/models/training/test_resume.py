"""Exact resume: stopped, killed and damaged runs end with the weights of an intact one."""

import contextlib
import dataclasses
import logging as python_logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as framework_config

from features.errors import UserInputError
from features.files import manifest
from models import trained_model
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from models.ranking_model import RankingModel
from models.training import fit
from models.training.config import TrainingConfig
from models.training.loop import StoppedError
from tests import synthetic

MODEL = ModelConfig(
    name="id_only", hidden=(8,), embedding_width=4, head_width=4, cross_layers=0, id_dropout=0.3
)
TRAINING = TrainingConfig(
    batch_candidates=64,
    epochs=2,
    evaluations_per_epoch=2,
    learning_rate=0.01,
    shuffle_buffer=100,
    checkpoint_seconds=0.2,
    deterministic=True,
)
KILLS = int(os.environ.get("KILLS", "5"))

TRAIN = """
import sys
from models.training import fit
from models.inputs.example_set import ExampleSet
from tests.models.training import test_resume
fit.train(ExampleSet.open(sys.argv[1]), test_resume.MODEL, test_resume.TRAINING, sys.argv[2])
"""


@pytest.fixture(scope="module", autouse=True)
def determinism_ends_here() -> Iterator[None]:
    yield
    framework_config.disable_op_determinism()


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> ExampleSet:
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


@pytest.fixture(scope="module")
def straight(examples, tmp_path_factory):
    """Weights and history of an uninterrupted run."""
    model, figures = fit.train(examples, MODEL, TRAINING, str(tmp_path_factory.mktemp("straight")))
    return weights(model), figures["history"]


def weights(model: RankingModel) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.variables]


def at_question(number: int) -> Callable[[], bool]:
    """Requests a stop at the n-th call; training calls it after each batch."""
    asked = iter(range(1, 10**6))
    return lambda: next(asked) == number


def stopped(examples: ExampleSet, folder: Path, questions: int, config=TRAINING) -> Path:
    """Trains until `stop_requested` returns True, and returns the folder of the states."""
    with pytest.raises(StoppedError):
        fit.train(examples, MODEL, config, str(folder), stop_requested=at_question(questions))
    assert not (folder / manifest.FILE_NAME).exists()
    (states,) = folder.glob("backup/*/states")
    return states


def assert_same(straight, model: RankingModel, figures: dict) -> None:
    expected, history = straight
    assert figures["history"] == history
    for one, other in zip(expected, weights(model), strict=True):
        np.testing.assert_array_equal(one, other)


def steps_in(states: Path) -> list[int]:
    return sorted(int(path.stem.partition("-")[2]) for path in states.glob("*.index"))


def test_a_training_goes_on_with_the_vectors_that_it_was_begun_with(examples, tmp_path):
    model = dataclasses.replace(MODEL, name="dta")
    sets = synthetic.embedding_sets()
    with pytest.raises(StoppedError):
        fit.train(examples, model, TRAINING, str(tmp_path), stop_requested=at_question(3))
    resumed, _ = fit.train(examples, model, TRAINING, str(tmp_path), sets)
    fresh, _ = fit.train(examples, model, TRAINING, str(tmp_path / "fresh"), sets)
    assert resumed.content_tables.keys() == sets.keys()
    for one, other in zip(weights(resumed), weights(fresh), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("place", ["middle", "evaluation", "second pass"])
@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_same_weights(examples, straight, tmp_path, place):
    interval = straight[1][0]["step"]
    question = {
        "middle": interval // 2,
        "evaluation": interval + 1,
        "second pass": 2 * interval + 2 * 2 + interval // 2,
    }[place]
    states = stopped(examples, tmp_path, question)
    if place != "second pass":
        assert steps_in(states)[-1] == min(question, interval)
    model, figures = fit.train(examples, MODEL, TRAINING, str(tmp_path))
    assert_same(straight, model, figures)
    assert figures["steps"] < straight[1][-1]["step"], "only what was not done yet"
    assert not (tmp_path / "backup").exists()
    again = trained_model.read_trained_model(str(tmp_path))
    np.testing.assert_array_equal(again.item_embedding.table, model.item_embedding.table)


@pytest.mark.slow
def test_compressed_shards_give_the_same_weights_also_to_a_run_that_goes_on(straight, tmp_path):
    examples = synthetic.write_example_set(str(tmp_path / "set"), extension="tfrecord.gz")
    stopped(examples, tmp_path / "model", straight[1][0]["step"] // 2)
    assert_same(straight, *fit.train(examples, MODEL, TRAINING, str(tmp_path / "model")))


@pytest.mark.slow(seconds=20)
@pytest.mark.guarantee("replaced", "train")
def test_a_shard_replaced_meanwhile_ends_the_run_and_leaves_no_trace_in_its_states(
    straight, tmp_path
):
    examples = synthetic.write_example_set(str(tmp_path / "set"))
    shard, folder = Path(examples.shards("train")[1]), tmp_path / "model"
    original, asked = shard.read_bytes(), at_question(20)

    def replace() -> bool:
        if asked():
            records = list(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator())
            with tf.io.TFRecordWriter(f"{shard}.tmp") as writer:
                for record in reversed(records):
                    writer.write(record)
            os.replace(f"{shard}.tmp", shard)
        return False

    with pytest.raises(UserInputError, match=rf"{shard.name}' is damaged or another file"):
        fit.train(examples, MODEL, TRAINING, str(folder), stop_requested=replace)
    assert not (folder / manifest.FILE_NAME).exists()
    shard.write_bytes(original)
    assert_same(straight, *fit.train(examples, MODEL, TRAINING, str(folder)))


@pytest.mark.slow
def test_whole_requests_and_early_stopping_go_on_too(examples, tmp_path):
    config = dataclasses.replace(
        TRAINING, batches_of="requests", epochs=6, patience=1, learning_rate=0.3
    )
    model, figures = fit.train(examples, MODEL, config, str(tmp_path / "straight"))
    history = figures["history"]
    assert 1 < len(history) < 12, "it has to end early"
    last = len(history) * (history[0]["step"] + 2)
    stopped(examples, tmp_path / "stopped", last - history[0]["step"] // 2, config)
    again, figures = fit.train(examples, MODEL, config, str(tmp_path / "stopped"))
    assert_same((weights(model), history), again, figures)


@pytest.mark.slow
def test_another_configuration_does_not_go_on_from_it(examples, tmp_path, caplog):
    stopped(examples, tmp_path, 3)
    other = dataclasses.replace(TRAINING, seed=2, epochs=1)
    with caplog.at_level(python_logging.INFO, "absl"):
        _, figures = fit.train(examples, MODEL, other, str(tmp_path))
    assert "Going on" not in caplog.text
    assert figures["steps"] == figures["history"][-1]["step"]


@pytest.mark.slow(seconds=50)
@pytest.mark.guarantee("killed", "train")
def test_kills_at_random_moments_change_nothing(examples, straight, tmp_path):
    """With `KILLS=50` in the environment so many, in as many trainings as that takes."""
    rng = random.Random(int(os.environ.get("KILL_SEED", "0")))
    left, trainings = KILLS, 0
    while left or not trainings:
        folder = tmp_path / str(trainings)
        command = [sys.executable, "-c", TRAIN, examples.folder, str(folder)]
        while left and killed(command, folder, rng.uniform(0, 0.5)):
            left -= 1
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        model = trained_model.read_trained_model(str(folder))
        assert_same(straight, model, manifest.read_manifest(str(folder))["training"])
        trainings += 1
    print(f"{KILLS} kills in {trainings} trainings")


def killed(command: list[str], folder: Path, seconds: float) -> bool:
    """Starts training and kills it some time after it resumed; False if it ended before.

    Until it resumes it only starts up, which is not what is tested.
    """
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    before = newest(folder)
    while newest(folder) == before and process.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    return process.wait() != 0


def newest(folder: Path) -> float:
    """Returns when a state was last written; files that vanish meanwhile are ignored."""
    times = []
    for path in folder.glob("backup/*/states/*"):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times, default=0)
