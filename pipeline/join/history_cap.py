"""Dropping events before they are grouped, where no record can hold them.

Before the first split begins no event becomes a candidate, so of each user the latest L
behaviors suffice: of a user with millions of events every batch keeps L.
"""

import numpy as np
import pyarrow as pa

from pipeline.join.inputs.log_columns import Role


def cap(events: pa.RecordBatch, begin: int, delay: int, length: int) -> pa.RecordBatch:
    """Leaves out events that no request can see.

    Args:
      events: `[E]` of one batch.
      begin: microseconds; every request is at this time or later.
      delay: microseconds until a behavior is known.
      length: the most behaviors of a request (L).

    Returns:
      What is left, in the same order: all from `begin` on, the behaviors from `begin - delay`
      on, and of older ones each user's latest L that are not duplicates of each other.
    """
    time, behavior = (_numpy(events[name]) for name in ("time", "behavior"))
    candidate = _numpy(events["role"]) == Role.CANDIDATE
    kept = ~candidate | (time >= begin) | (behavior & (time >= begin - delay))
    older = np.flatnonzero(candidate & behavior & (time < begin - delay))
    kept[older[_latest(events.take(pa.array(older)), length)]] = True
    return events if kept.all() else events.filter(pa.array(kept))


def _latest(events: pa.RecordBatch, length: int) -> np.ndarray:
    """Returns the positions of each user's latest distinct events."""
    user, time, content, file, row = (
        _numpy(events[name]) for name in ("user", "time", "content", "file", "row")
    )
    order = np.lexsort((row, file, content, time, user))
    new = np.ones(len(order), bool)
    keys = [array[order] for array in (user, time, content)]
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    first = order[new]
    first = first[np.lexsort((row[first], file[first], time[first], user[first]))]
    end = np.searchsorted(user[first], user[first], side="right")
    return first[np.arange(len(first)) >= end - length]


def _numpy(column: pa.Array) -> np.ndarray:
    return column.to_numpy(zero_copy_only=False)
