"""The deadline of a whole request: each of its calls gets what is left."""

import contextlib
import contextvars
import math
import time
from collections.abc import Iterator

import grpc

_END: contextvars.ContextVar[float | None] = contextvars.ContextVar("end", default=None)


class DeadlinePassedError(grpc.RpcError):  # type: ignore[misc]  # Has no types.
    """Nothing was left of a request's deadline for its next call, which was not sent."""

    def code(self) -> grpc.StatusCode:
        """Returns DEADLINE_EXCEEDED, as of a call that was sent."""
        return grpc.StatusCode.DEADLINE_EXCEEDED

    def details(self) -> str:
        """Returns what passed."""
        return "The deadline of the request passed before its next call."


def checked(timeout_seconds: float | None) -> float | None:
    """Returns a request's timeout.

    Raises:
      ValueError: it is out of its range.
    """
    if timeout_seconds is not None and not 0 < timeout_seconds < math.inf:
        raise ValueError(
            "timeout_seconds must be more than 0 and finite, or None for none of the whole "
            f"request, received {timeout_seconds}."
        )
    return timeout_seconds


@contextlib.contextmanager
def within(timeout_seconds: float | None) -> Iterator[None]:
    """Ends the calls of this thread, in the block, before the timeout.

    Args:
      timeout_seconds: from now on; None for no deadline.
    """
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    token = _END.set(end)
    try:
        yield
    finally:
        _END.reset(token)


def left() -> float | None:
    """Returns the seconds that are left, as the timeout of a call; None without a deadline.

    Raises:
      DeadlinePassedError: nothing is left.
    """
    end = _END.get()
    if end is None:
        return None
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise DeadlinePassedError
    return seconds
