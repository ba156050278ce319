"""A training ends where validation no longer improves, or at a bound, and says which."""

import dataclasses
import itertools
import json
import logging
import types

import pytest

from features.files import manifest
from models import factory
from models.model_config import ModelConfig
from models.training import budget, fit, optimizers
from models.training.config import TrainingConfig
from models.training.loop import StoppedError, TrainingLoop
from models.training.passes import TrainingInput
from models.training.state import TrainingState
from tests import synthetic

MODEL = ModelConfig(name="id_only", hidden=(8,), embedding_width=4, head_width=4, cross_layers=0)
TRAINING = TrainingConfig(
    batch_candidates=64, epochs=3, evaluations_per_epoch=2, learning_rate=0.01, shuffle_buffer=100
)
DATA = types.SimpleNamespace(
    steps=1200, steps_of_all_passes=1200, passes=lambda step: round(step / 400, 2)
)


def history(*aucs):
    return [{"step": 100.0 * place, "val_auc": auc} for place, auc in enumerate(aucs, 1)]


def end(*aucs, out_of_time=False, data=DATA, **settings):
    config = TrainingConfig(**{"epochs": 3, "patience": 2, "min_improvement": 0.01, **settings})
    return budget.end_of(history(*aucs), out_of_time, data, config)


@pytest.mark.parametrize(
    ("aucs", "count"),
    [
        ((0.5,), 0),
        ((0.5, 0.52), 0),
        ((0.5, 0.505), 1),
        ((0.5, 0.505, 0.512), 0),  # Together they are an improvement.
        ((0.5, 0.509, 0.505, 0.5), 3),
        ((0.5, 0.6, 0.4, 0.55, 0.6), 3),
    ],
)
def test_small_steps_add_up_to_an_improvement(aucs, count):
    assert budget.without_improvement(history(*aucs), 0.01) == count


def test_without_a_least_improvement_the_count_is_from_the_first_of_the_best():
    assert budget.without_improvement(history(0.5, 0.7, 0.7, 0.6), 0.0) == 2


def test_it_goes_on_while_it_improves_or_has_patience():
    assert end() is None
    assert end(0.5) is None
    assert end(0.5, 0.505) is None
    assert end(0.5, 0.4, 0.6, 0.605) is None
    assert end(*[0.5] * 11, patience=0) is None


@pytest.mark.parametrize(
    ("arguments", "settings", "reason", "sentence"),
    [
        (
            (0.5, 0.6, 0.6049, 0.4),
            {},
            "patience",
            "Stopped after 1 pass: validation AUC has not improved by 0.01 for 2 evaluations "
            "(best 0.6049 after 0.75 passes)",
        ),
        (
            tuple(0.5 + place / 50 for place in range(12)),
            {},
            "epochs",
            "Stopped after 3 passes: all that training.epochs=3 allows (best 0.7200 after 3 "
            "passes)",
        ),
        (
            (0.5, 0.6),
            {"out_of_time": True, "max_seconds": 90.0},
            "max_seconds",
            "Stopped after 0.5 passes: training.max_seconds=90 is over (best 0.6000 after 0.5 "
            "passes)",
        ),
        (
            (0.5, 0.6, 0.55),
            {
                "data": types.SimpleNamespace(**{**vars(DATA), "steps": 300}),
                "max_steps": 300,
            },
            "max_steps",
            "Stopped after 0.75 passes: training.max_steps=300 is reached (best 0.6000 after 0.5 "
            "passes)",
        ),
    ],
)
def test_it_says_why_it_ended_and_where_it_was_best(arguments, settings, reason, sentence):
    stopped = end(*arguments, **settings)
    assert (stopped.reason, stopped.sentence) == (reason, sentence)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("examples") / "set")
    return synthetic.write_example_set(folder, splits={"train": 120, "validation": 40})


def trained(examples, folder, **settings):
    config = dataclasses.replace(TRAINING, **settings)
    _, figures = fit.train(examples, MODEL, config, str(folder))
    return figures


def test_steps_end_a_training_within_an_interval_and_are_evaluated(examples, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="absl")
    figures = trained(examples, tmp_path, max_steps=7)
    interval = figures["history"][0]["step"]
    assert interval < 7 < 2 * interval
    assert [row["step"] for row in figures["history"]] == [interval, 7]
    assert figures["steps"] == 7
    stopped = figures["stopped"]
    assert stopped["reason"] == "max_steps" and "max_steps=7 is reached" in stopped["sentence"]
    assert stopped["sentence"] in caplog.text
    assert "step 7/7" in caplog.text
    assert manifest.read_manifest(str(tmp_path))["training"]["stopped"] == stopped
    assert stopped["best_step"] in (interval, 7)


def test_fewer_steps_than_an_update_of_the_averages_are_evaluated_too(examples, tmp_path):
    (row,) = trained(examples, tmp_path, max_steps=1)["history"]
    assert row["step"] == 1


@pytest.mark.slow(seconds=12)
def test_patience_ends_a_training_and_the_manifest_says_so(examples, tmp_path):
    figures = trained(examples, tmp_path, patience=1, min_improvement=0.9)
    assert len(figures["history"]) == 2
    assert figures["stopped"]["reason"] == "patience"
    assert json.dumps(figures["stopped"])


def loop_of(examples, folder, clock, stop_requested=lambda: False, **settings):
    config = dataclasses.replace(TRAINING, **settings)
    data = TrainingInput(examples, config)
    model = factory.build_model(MODEL, examples.schema, examples.vocabulary())
    model.compile(optimizer=optimizers.build_optimizer(model, config, data.steps))
    state = TrainingState(str(folder), model)
    loop = TrainingLoop(model, data, config, None, (), stop_requested, clock)
    return loop, state


def clock_of(state_of):
    """Ten seconds for each step, and an hour since its start at which others were trained."""
    return lambda: 3600.0 + 10.0 * (state_of().step if state_of() else 0)


def test_time_ends_a_training_and_goes_on_to_count_in_the_next_process(examples, tmp_path):
    """Thirty-five seconds are over within the fourth step of ten seconds."""
    for stops, steps in ((None, 4), (2, 4)):
        folder, asked, place = tmp_path / str(stops), itertools.count(1), []
        clock = clock_of(lambda place=place: place[0] if place else None)
        stop = lambda asked=asked, stops=stops: next(asked) == stops  # noqa: E731
        loop, state = loop_of(examples, folder, clock, stop, max_seconds=35.0)
        place.append(state)
        if stops:
            with pytest.raises(StoppedError):
                loop.run(state)
            # Steps of before do not count for this process's clock.
            begun = []
            later = lambda begun=begun: 50.0 + 10.0 * (begun[0].step - 2 if begun else 0)  # noqa: E731
            loop, state = loop_of(examples, folder, later, max_seconds=35.0)
            begun.append(state)
            assert state.restore()
            assert (state.step, state.seconds) == (2, 20.0)
        stopped = loop.run(state)
        assert (stopped.reason, state.step) == ("max_seconds", steps)
        assert state.history[-1]["step"] == steps
