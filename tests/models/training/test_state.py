"""A state restores what was saved; after a damaged one, the state before it is restored."""

import logging as python_logging
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from models.training.json_state import JsonState
from models.training.state import TrainingState, best


def new(folder: Path) -> tuple[TrainingState, tf.Module]:
    model = tf.Module()
    model.weight = tf.Variable(tf.zeros([1000]))
    model.generator = tf.random.Generator.from_seed(1)
    return TrainingState(str(folder), model), model


def filled(folder: Path, steps: int) -> None:
    """Saves a state every ten steps, each before its evaluation; every second one is worse."""
    state, model = new(folder)
    for step in range(0, steps, 10):
        state.step = step
        model.weight.assign(tf.fill([1000], float(step)))
        state.save()
        state.add_evaluation({"val_auc": step - 30.0 * (step % 20 > 0)})


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def test_everything_is_of_one_moment(tmp_path):
    state, model = new(tmp_path)
    state.step = 5
    state.add_evaluation({"val_auc": 0.5})
    state.step = 7
    model.weight.assign(tf.fill([1000], 7.0))
    drawn = [model.generator.uniform([2]).numpy()]
    state.save()
    drawn.append(model.generator.uniform([2]).numpy())
    again, other = new(tmp_path)
    assert again.restore()
    assert (again.step, again.history) == (state.step, state.history)
    np.testing.assert_array_equal(other.weight, model.weight)
    np.testing.assert_array_equal(other.generator.uniform([2]), drawn[1])
    assert not np.array_equal(*drawn)


def test_without_a_state_nothing_is_restored(tmp_path):
    state, model = new(tmp_path)
    assert not state.restore()
    assert (state.step, state.history) == (0, [])
    assert not np.any(model.weight)


def test_the_last_two_states_stay_and_the_best_weights_that_they_know_of(tmp_path):
    filled(tmp_path, 60)
    assert sorted(path.name for path in tmp_path.glob("states/*.index")) == [
        "step-40.index",
        "step-50.index",
    ]
    # The state of step 40 was saved before the evaluation that made step 40 the best.
    assert sorted(path.name for path in tmp_path.glob("weights/*.index")) == [
        "step-20.index",
        "step-40.index",
    ]
    state, model = new(tmp_path)
    state.restore()
    assert best(state.history)["step"] == 40
    state.restore_best()
    np.testing.assert_array_equal(model.weight, np.full(1000, 40, np.float32))


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
@pytest.mark.guarantee("damaged", "train")
def test_a_damaged_state_falls_back_to_the_one_before(tmp_path, caplog, damage, part):
    filled(tmp_path, 60)
    damage(tmp_path / "states" / f"step-50.{part}")
    state, model = new(tmp_path)
    with caplog.at_level(python_logging.WARNING, "absl"):
        assert state.restore()
    assert state.step == 40
    assert [row["step"] for row in state.history] == [0, 10, 20, 30]
    np.testing.assert_array_equal(model.weight, np.full(1000, 40, np.float32))
    state.restore_best()
    np.testing.assert_array_equal(model.weight, np.full(1000, 20, np.float32))
    absent = damage is Path.unlink and part == "index"
    assert ("Checkpoint of step 50 skipped, it is damaged" in caplog.text) != absent


def test_where_all_are_damaged_nothing_is_restored(tmp_path, caplog):
    filled(tmp_path, 60)
    for path in tmp_path.glob("states/*.data*"):
        cut(path)
    state, model = new(tmp_path)
    with caplog.at_level(python_logging.WARNING, "absl"):
        assert not state.restore()
    assert caplog.text.count("damaged") == 2
    assert (state.step, state.history) == (0, [])
    assert not np.any(model.weight)


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
def test_a_state_with_damaged_best_weights_falls_back_too(tmp_path, caplog, damage):
    filled(tmp_path, 60)
    damage(tmp_path / "weights" / "step-40.data-00000-of-00001")
    state, model = new(tmp_path)
    with caplog.at_level(python_logging.WARNING, "absl"):
        assert state.restore()
    assert "Checkpoint of step 50 skipped, it is damaged" in caplog.text
    assert state.step == 40
    np.testing.assert_array_equal(model.weight, np.full(1000, 40, np.float32))


def test_weights_that_are_damaged_during_the_training_are_refused(tmp_path):
    filled(tmp_path, 60)
    state, _ = new(tmp_path)
    state.restore()
    flip(tmp_path / "weights" / "step-40.data-00000-of-00001")
    with pytest.raises(UserInputError, match=r"step 40, were damaged .* Run the same"):
        state.restore_best()


@pytest.mark.parametrize("folder", ["states", "weights"])
def test_an_intact_checkpoint_of_another_step_is_not_taken(tmp_path, caplog, folder):
    filled(tmp_path, 60)
    earlier, later = {"states": (40, 50), "weights": (20, 40)}[folder]
    for part in ("index", "data-00000-of-00001"):
        one = tmp_path / folder / f"step-{earlier}.{part}"
        (tmp_path / folder / f"step-{later}.{part}").write_bytes(one.read_bytes())
    state, _ = new(tmp_path)
    with caplog.at_level(python_logging.WARNING, "absl"):
        assert state.restore()
    assert state.step == 40
    assert f"'step': {earlier}}}, expected " in caplog.text


def test_a_state_of_another_training_is_not_taken(tmp_path, caplog):
    filled(tmp_path / "one", 60)
    (tmp_path / "one").rename(tmp_path / "other")
    state, _ = new(tmp_path / "other")
    with caplog.at_level(python_logging.WARNING, "absl"):
        assert not state.restore()
    assert "of {'training': 'one', 'step': 50}, expected {'training': 'other'" in caplog.text


def test_after_damaged_states_the_next_ones_are_kept(tmp_path):
    filled(tmp_path, 60)
    for path in tmp_path.glob("states/*.data*"):
        cut(path)
    state, _ = new(tmp_path)
    assert not state.restore()
    for step in (0, 10):
        state.step = step
        state.save()
    assert {path.stem for path in tmp_path.glob("states/*")} == {"step-0", "step-10"}


def test_a_state_of_an_earlier_version_has_no_stamp_and_is_read(tmp_path):
    model = new(tmp_path)[1]
    progress = JsonState()
    progress.values = {"step": 30, "history": []}
    earlier = tf.train.Checkpoint(model=model, progress=progress)
    earlier.write(str(tmp_path / "states" / "step-30"))
    state, _ = new(tmp_path)
    assert state.restore() and state.step == 30


@pytest.mark.guarantee("killed", "train")
@pytest.mark.guarantee("foreign", "train")
def test_what_killed_writes_left_goes_and_nothing_else(tmp_path):
    filled(tmp_path, 60)
    states = tmp_path / "states"
    names = {path.name for path in states.iterdir()}
    mine = states / "step-x_temp"
    for folder in (states / "step-30_temp", states / "step-50_temp", mine):
        folder.mkdir()
        (folder / "part-00000-of-00001.data-00000-of-00001.tempstate123").write_text("cut")
    (states / "step-30.data-00000-of-00001").write_text("no index")
    (states / "notes.txt").write_text("mine")
    state, _ = new(tmp_path)
    assert state.restore()
    state.save()
    assert {path.name for path in states.iterdir()} == {*names, mine.name, "notes.txt"}


def test_a_state_that_may_not_be_read_is_not_taken_for_a_damaged_one(tmp_path):
    filled(tmp_path, 60)
    index = tmp_path / "states" / "step-50.index"
    index.unlink()
    index.symlink_to("step-50.index")
    with pytest.raises(OSError, match=r"step-50\.index"):
        new(tmp_path)[0].restore()
