"""Another implementation's training steps, taken by a command of its own."""

import contextlib
import shlex
import subprocess
from collections.abc import Iterator

from benchmarks.model_alternatives.training_ways import Way
from features.errors import UserInputError

LAYOUT = "external"


@contextlib.contextmanager
def external(command: str) -> Iterator[Way]:
    """Starts a command and yields its way; the command ends with the block.

    Args:
      command: for each line on its standard input it takes some steps, and prints a line with the
        number of their candidates and the processor seconds that they took.

    Raises:
      UserInputError: there is no such command, it ended, or it printed something else.
    """
    try:
        process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    except (OSError, ValueError) as error:
        raise UserInputError(f"--external: {command!r} cannot be started: {error}") from error
    spent = 0.0

    def run() -> int:
        nonlocal spent
        line = ""
        # It may have ended, which shows in what it printed.
        with contextlib.suppress(BrokenPipeError):
            print("run", file=process.stdin, flush=True)
            line = process.stdout.readline() if process.stdout else ""
        try:
            count, seconds = line.split()
            spent += float(seconds)
            return int(count)
        except ValueError:
            raise UserInputError(
                f"--external: {command!r} printed {line!r}, expected the number of candidates and "
                "the processor seconds of its steps, such as '2048 1.93'."
            ) from None

    with process:
        try:
            yield Way(LAYOUT, run, 1, lambda: spent)
        finally:
            process.kill()
