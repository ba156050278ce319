"""What SIGTERM does to a job that can save what it has done."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from absl import logging

from models.training.loop import StoppedError
from pipeline.runtime import entry_point


@contextlib.contextmanager
def saving() -> Iterator[Callable[[], bool]]:
    """Turns SIGTERM, which schedulers send some seconds before they kill, into a request to stop.

    Yields:
      A function that says whether a stop was requested, for `models.training.fit.train`.

    Raises:
      SystemExit: with code 75, which schedulers retry, once training has stopped for it.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)

    before = signal.signal(signal.SIGTERM, receive)
    try:
        yield lambda: bool(received)
    except StoppedError:
        logging.info("Stopped as asked, and saved: the same command goes on from here.")
        raise SystemExit(entry_point.RETRY_CODE) from None
    finally:
        signal.signal(signal.SIGTERM, before)
