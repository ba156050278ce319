"""Requests that a part leaves to the next, since events that set their labels may still come.

A request waits until the attribution windows of all its candidates have ended, so it is written
once, with all its labels and all its candidates.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.join.inputs.duplicates import run_starts
from pipeline.join.inputs.log_columns import Role
from pipeline.join.rules import splits


def latest_of_request(user: np.ndarray, request: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Returns the time of the latest candidate of each candidate's request.

    >>> user, request, time = np.array([4, 4, 4]), np.array([7, 8, 7]), np.array([10, 20, 30])
    >>> latest_of_request(user, request, time).tolist()
    [30, 20, 30]

    Args:
      user: `[N]` int64.
      request: `[N]` int64; candidates of a user with the same value are shown together.
      time: `[N]` int64 microseconds.

    Returns:
      `[N]` int64 microseconds.
    """
    if not len(user):
        return time
    order = np.lexsort((request, user))
    new = run_starts(user[order], request[order])
    latest = np.maximum.reduceat(time[order], np.flatnonzero(new))
    found = np.empty(len(user), np.int64)
    found[order] = latest[np.cumsum(new) - 1]
    return found


def needed_from(events: Mapping[str, np.ndarray], delay: int, last: int | None) -> int:
    """Returns the moment before which no request of a later part needs the past by single events.

    Args:
      events: `[E]` of a partition, by column.
      delay: microseconds until a behavior is known.
      last: microseconds of the log's last event, which later requests follow; None without parts.

    Returns:
      Microseconds.
    """
    if last is None:
        return splits.END
    waiting = events["time"][events["role"] == Role.WAITING]
    return min(last + 1, int(waiting.min(initial=last + 1))) - delay
