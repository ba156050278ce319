"""Another implementation takes its turns by a line each."""

import shlex
import sys

import pytest

from benchmarks.model_alternatives.external_way import external
from features.errors import UserInputError

PROGRAM = """
import sys
for number, line in enumerate(sys.stdin):
    assert line == "run\\n"
    print(512 * (number + 1), 0.5, flush=True)
"""


def command(program):
    return shlex.join([sys.executable, "-c", program])


def test_candidates_and_processor_seconds_are_the_commands():
    with external(command(PROGRAM)) as way:
        assert [way.run(), way.run()] == [512, 1024]
        assert way.clock() == 1.0


@pytest.mark.parametrize(
    ("program", "message"),
    [("print('half', flush=True)", "printed 'half"), ("pass", "printed ''")],
)
def test_a_command_that_prints_something_else_is_named(program, message):
    with external(command(program)) as way, pytest.raises(UserInputError, match=message):
        way.run()
        way.run()


def test_a_command_that_is_not_there_is_named():
    message = "--external: 'no-such-command' cannot be started"
    with pytest.raises(UserInputError, match=message), external("no-such-command"):
        pass
