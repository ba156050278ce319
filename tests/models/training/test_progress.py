"""Progress lines: rate without the first step, time left with the remaining evaluations."""

import logging

import pytest

from models.training.progress import Progress, duration

LOGS = {"logloss": 0.5, "auc": 0.75, "val_logloss": 0.6, "val_auc": 0.7}


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger="absl")
    return lambda: [" ".join(record.getMessage().split()) for record in caplog.records]


def one_evaluation(progress, clock, epoch, steps, seconds, evaluation, first=0.0):
    progress.on_epoch_begin(epoch)
    for batch in range(steps):
        clock.now += first if first and batch == 0 else seconds
        progress.on_train_batch_end(batch, LOGS)
    clock.now += evaluation
    progress.on_epoch_end(epoch, LOGS)


def test_the_time_left_counts_steps_and_evaluations_and_the_rate_neither_tracing_nor_these(lines):
    clock = Clock()
    progress = Progress(steps_per_evaluation=5, steps=15, line_seconds=1e9, clock=clock)
    # 4 steps at .5 s after one of 30 s; 2 evaluations of 7 s are to come.
    one_evaluation(progress, clock, 0, 5, seconds=0.5, evaluation=7, first=30)
    (line,) = lines()
    assert line.startswith("train 33% step 5/15 logloss 0.5000 auc 0.7500")
    assert "validation logloss 0.6000 auc 0.7000" in line
    assert line.endswith("2 steps/s 19 s left")
    one_evaluation(progress, clock, 1, 5, seconds=0.5, evaluation=3)
    assert lines()[-1].endswith("2 steps/s 6 s left")
    one_evaluation(progress, clock, 2, 5, seconds=0.5, evaluation=3)
    assert lines()[-1].startswith("train 100% step 15/15") and lines()[-1].endswith(" 0 s left")
    assert progress.figures(batch_candidates=10.0) == {
        "steps": 15,
        "seconds": 7.0,
        "candidates_per_second": 20.0,
    }


def test_a_long_interval_has_a_line_a_minute(lines):
    clock = Clock()
    progress = Progress(steps_per_evaluation=100, steps=200, clock=clock)
    one_evaluation(progress, clock, 0, 100, seconds=2, evaluation=5)
    within = lines()[:-1]
    assert [line.split("step ")[1].split("/")[0] for line in within] == ["30", "60", "90"]
    assert within[0].endswith("0.5 steps/s 5 min 40 s and the evaluations left")
    assert "validation" not in within[0] and "auc 0.7500" in within[0]
    one_evaluation(progress, clock, 1, 40, seconds=2, evaluation=5)
    assert "step 130/200" in lines()[4]
    assert lines()[4].endswith("2 min 25 s left"), "70 steps and one evaluation"


def test_training_that_goes_on_counts_from_where_it_was(lines):
    clock = Clock()
    progress = Progress(steps_per_evaluation=5, steps=20, line_seconds=1e9, clock=clock)
    one_evaluation(progress, clock, 2, 5, seconds=1, evaluation=1)
    assert "step 15/20" in lines()[0]
    assert lines()[0].endswith("1 steps/s 6 s left")
    assert progress.figures(1.0)["steps"] == 5


def test_training_that_goes_on_within_an_interval_counts_from_its_batch(lines):
    clock = Clock()
    progress = Progress(steps_per_evaluation=10, steps=20, line_seconds=4, clock=clock)
    progress.on_epoch_begin(1)
    for batch in range(3, 9):
        clock.now += 1
        progress.on_train_batch_end(batch, LOGS)
    assert "step 17/20" in lines()[0]
    assert progress.figures(1.0)["steps"] == 6


def test_a_training_that_may_end_earlier_says_the_most_time_that_is_left(lines):
    clock = Clock()
    progress = Progress(5, 15, at_most=True, line_seconds=1e9, clock=clock)
    one_evaluation(progress, clock, 0, 5, seconds=0.5, evaluation=7, first=30)
    assert lines()[0].endswith("2 steps/s at most 19 s left")


def test_no_more_time_is_left_than_the_bound_leaves(lines):
    clock = Clock()
    progress = Progress(100, 200, seconds_left=100.0, line_seconds=60, clock=clock)
    one_evaluation(progress, clock, 0, 100, seconds=0.7, evaluation=5)
    assert [line.split("steps/s ")[1] for line in lines()] == ["40 s left", "25 s left"]
    one_evaluation(progress, clock, 1, 100, seconds=0.7, evaluation=5)
    assert lines()[-1].endswith("steps/s 0 s left")


def test_a_bound_within_an_interval_is_its_end(lines):
    clock = Clock()
    progress = Progress(5, 7, line_seconds=1e9, clock=clock)
    one_evaluation(progress, clock, 0, 5, seconds=0.5, evaluation=7)
    assert "step 5/7" in lines()[-1] and lines()[-1].endswith("2 steps/s 8 s left")
    one_evaluation(progress, clock, 1, 2, seconds=0.5, evaluation=7)
    assert lines()[-1].startswith("train 100% step 7/7") and lines()[-1].endswith("0 s left")


def test_a_first_step_that_takes_minutes_has_no_rate(lines):
    clock = Clock()
    progress = Progress(steps_per_evaluation=2, steps=4, clock=clock)
    one_evaluation(progress, clock, 0, 2, seconds=1, evaluation=1, first=90)
    assert lines()[0].endswith("first step")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.6, "1 min 0 s"), (3599.7, "1 h 0 min")]
)
def test_durations_do_not_round_to_sixty(seconds, text):
    assert duration(seconds) == text
