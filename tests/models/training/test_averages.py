"""Averages equal NumPy's over the weights of all steps, and are what is evaluated and kept."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models import factory
from models.evaluation import metrics, scoring
from models.model_config import ModelConfig
from models.training import fit, optimizers
from models.training.averages import WeightAverages, steps_between_updates
from models.training.config import TrainingConfig
from models.training.loop import TrainingLoop
from models.training.passes import TrainingInput
from models.training.state import TrainingState
from tests import synthetic

MODEL = ModelConfig(
    name="id_only",
    hidden=(8,),
    embedding_width=4,
    head_width=4,
    cross_layers=0,
    side_buckets=16,
    prior_strength=0.0,  # Its factor would not move: the loop counts no items.
)
TRAINING = TrainingConfig(
    batch_candidates=128,
    epochs=2,
    evaluations_per_epoch=2,
    patience=0,
    learning_rate=0.05,
    shuffle_buffer=100,
)
ETA, EVERY = 3.0, 3


class Recorder(keras.callbacks.Callback):
    """Copies the weights after each step, and those that are evaluated."""

    def __init__(self):
        super().__init__()
        self._supports_tf_logs = True
        self.steps, self.evaluated = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(weights(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.evaluated.append(weights(self.model))


def weights(model):
    return [variable.numpy() for variable in model.trainable_variables]


def reference(steps, count):
    """The averages after so many steps, in double precision."""
    average = [np.zeros(one.shape) for one in steps[0]]
    for number, values in enumerate(steps[EVERY - 1 : count : EVERY], 1):
        share = (ETA + 1) / (number + ETA)
        average = [a + share * (w - a) for a, w in zip(average, values, strict=True)]
    return average


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


@pytest.fixture(scope="module")
def recorded(examples, tmp_path_factory):
    """A recorder and the state of a finished training."""
    recorder = Recorder()
    state = train(examples, str(tmp_path_factory.mktemp("state")), recorder, averaged=True)
    return recorder, state


def train(examples, folder, recorder, averaged):
    keras.utils.set_random_seed(TRAINING.seed)
    data = TrainingInput(examples, TRAINING)
    model = factory.build_model(MODEL, examples.schema, examples.vocabulary())
    model.compile(optimizer=optimizers.build_optimizer(model, TRAINING, data.steps))
    averages = WeightAverages(model, ETA, EVERY) if averaged else None
    state = TrainingState(folder, model, averages)
    TrainingLoop(model, data, TRAINING, averages, [recorder]).run(state)
    return state


def test_what_is_evaluated_is_the_average_of_every_third_step(recorded):
    recorder, state = recorded
    assert len(recorder.steps) == state.step > 12
    for row, found in zip(state.history, recorder.evaluated, strict=True):
        expected = reference(recorder.steps, int(row["step"]))
        for one, other, last in zip(expected, found, recorder.steps[-1], strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
            assert np.abs(other - last).max() > 3e-4  # Other than the last weights.


def test_averages_do_not_change_the_steps(examples, recorded, tmp_path):
    with_averages, without = recorded[0], Recorder()
    train(examples, str(tmp_path), without, averaged=False)
    for step, other in zip(with_averages.steps, without.steps, strict=True):
        for one, two in zip(step, other, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_the_best_weights_that_are_kept_are_averages_and_score_what_the_history_says(
    examples, tmp_path
):
    config = dataclasses.replace(TRAINING, averaging=ETA, epochs=1)
    model, figures = fit.train(examples, MODEL, config, str(tmp_path / "averaged"))
    scored = scoring.score(model, examples, "validation")
    expected = max(row["val_auc"] for row in figures["history"])
    assert metrics.auc(scored.label, scored.probability) == pytest.approx(expected, abs=2e-3)
    last, _ = fit.train(
        examples, MODEL, dataclasses.replace(config, averaging=0.0), str(tmp_path / "last")
    )
    kernel, other = (one.item_embedding.table.numpy() for one in (model, last))
    assert np.abs(kernel - other).max() > 1e-2


def test_weights_come_back_bit_for_bit_and_before_the_first_update_there_is_no_average():
    model = factory.build_model(MODEL, synthetic.SCHEMA, synthetic.item_ids())
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    averages = WeightAverages(model, ETA, EVERY)
    for average in averages.averages:
        average.assign(rng.standard_normal(average.shape))
    before, means = weights(model), [one.numpy() for one in averages.averages]
    others = [one.numpy() for one in model.non_trainable_variables]
    with averages.in_place(EVERY - 1):
        assert_equal(weights(model), before)
    with pytest.raises(KeyError), averages.in_place(EVERY):
        assert_equal(weights(model), means)
        assert_equal([one.numpy() for one in model.non_trainable_variables], others)
        raise KeyError
    assert_equal(weights(model), before)
    assert_equal([one.numpy() for one in averages.averages], means)


def assert_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("steps", "between"), [(1, 1), (31, 1), (32, 2), (50_000, 3125)])
def test_an_interval_has_about_16_updates_and_never_none(steps, between):
    assert steps_between_updates(steps) == between


def test_a_model_with_averages_has_no_more_weights_and_the_state_has_them(tmp_path):
    model = factory.build_model(MODEL, synthetic.SCHEMA, synthetic.item_ids())
    count = len(model.weights)
    averages = WeightAverages(model, ETA, EVERY)
    assert len(model.weights) == count
    assert len(averages.variables) == len(model.trainable_variables)
    TrainingState(str(tmp_path), model, averages).save()
    names = [name for name, _ in tf.train.list_variables(str(tmp_path / "states" / "step-0"))]
    assert sum("averages/averages/" in name for name in names) == len(averages.averages)
