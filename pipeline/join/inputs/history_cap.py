"""Dropping events before they are grouped, where no record can hold them.

Before the first split begins no event becomes a candidate, so of each user the latest L
behaviors suffice: of a hot key, a user with millions of events, every batch keeps L.
"""

import numpy as np
import pyarrow as pa

from pipeline.join.inputs.duplicates import first_of_duplicates
from pipeline.join.inputs.event_batches import numpy_of
from pipeline.join.inputs.log_columns import Role


def cap(events: pa.RecordBatch, begin: int, delay: int, length: int) -> pa.RecordBatch:
    """Leaves out events that no request can see.

    Args:
      events: `[E]` of one batch.
      begin: microseconds; every request is at this time or later.
      delay: microseconds until a behavior is known.
      length: the most behaviors of a request (L).

    Returns:
      The other events, in the same order: all from `begin` on, the behaviors from
      `begin - delay` on, and of older ones each user's latest L that are not duplicates of each
      other.
    """
    time, behavior = (numpy_of(events[name]) for name in ("time", "behavior"))
    candidate = numpy_of(events["role"]) == Role.CANDIDATE
    kept = ~candidate | (time >= begin) | (behavior & (time >= begin - delay))
    older = np.flatnonzero(candidate & behavior & (time < begin - delay))
    kept[older[_latest(events.take(pa.array(older)), length)]] = True
    return events if kept.all() else events.filter(pa.array(kept))


def _latest(events: pa.RecordBatch, length: int) -> np.ndarray:
    """Returns the positions of each user's latest distinct events."""
    user, time, content, file, row = (
        numpy_of(events[name]) for name in ("user", "time", "content", "file", "row")
    )
    first = first_of_duplicates(user, time, content, file, row)
    # With L of 2, users 4 4 4 9 end at 3 3 3 4: positions 1, 2 and 3 are among the latest.
    end = np.searchsorted(user[first], user[first], side="right")
    return first[np.arange(len(first)) >= end - length]
