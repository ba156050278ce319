"""A diagnostic that fails is left out by name; an error that the user must fix is not."""

import pytest
import tensorflow as tf
from absl import logging

from features.errors import UserInputError
from models.evaluation import diagnostics


def raising(error):
    def compute():
        raise error

    return compute


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def test_what_works_is_returned_without_a_word(warnings):
    assert diagnostics.attempt("attention mass", lambda: 5, 0) == 5
    assert warnings() == []


@pytest.mark.parametrize(
    "error",
    [
        KeyError("text"),
        tf.errors.InvalidArgumentError(None, None, "shapes [3] and [4]"),
        ZeroDivisionError(),
        OSError("No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_fails_is_left_out_and_named(error, warnings):
    assert diagnostics.attempt("attention mass", raising(error), 0) == 0
    (message,) = warnings()
    assert message.startswith("Left out: attention mass (")
    assert f"{type(error).__name__} in test_diagnostics.py, line " in message
    assert "\n" not in message and "tests/" not in message


def test_an_error_of_the_user_ends_the_job_still():
    with pytest.raises(UserInputError, match="fix the log"):
        diagnostics.attempt("attention mass", raising(UserInputError("fix the log")), 0)


def test_an_interruption_is_no_failure():
    with pytest.raises(KeyboardInterrupt):
        diagnostics.attempt("attention mass", raising(KeyboardInterrupt()), 0)
