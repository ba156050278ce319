"""SIGTERM as a request to write a checkpoint and stop."""

import contextlib
import signal
from collections.abc import Callable, Iterator

from absl import logging

from models.training.loop import StoppedError
from pipeline.runtime import exit_codes


@contextlib.contextmanager
def saving() -> Iterator[Callable[[], bool]]:
    """Handles SIGTERM, which schedulers send before they kill, as a request to stop.

    Yields:
      A function that returns whether a stop was requested, for `models.training.fit.train`.

    Raises:
      SystemExit: with code 75, which schedulers retry, once training has stopped.
    """
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        yield lambda: bool(received)
    except StoppedError:
        logging.info("Stopped after a checkpoint, as requested: run the same command to resume.")
        raise SystemExit(exit_codes.RETRY) from None
    finally:
        signal.signal(signal.SIGTERM, before)
