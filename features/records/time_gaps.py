"""Which time gaps a request to score can have: seconds from each behavior to the request.

Histories are oldest first, so gaps fall or stay equal along them. A gap of 0 also stands for a
behavior without a time and says nothing about the order.
"""

from features.arrays import Integers

LONGEST = 40 * 31_556_952
"""40 years in seconds. A time since 1970 in place of a gap is longer, if it is after 2009; no log
of users reaches back so far. Milliseconds pass it after 15 days."""

IN_RANGE = (
    f"expected whole seconds from the behavior to the request, from 0 to {LONGEST} (40 years), not "
    "a time and not milliseconds; received from"
)
IN_ORDER = "expected the oldest behavior first, so that gaps do not grow; received"


def problem(gaps: Integers) -> str | None:
    """Returns what is wrong with the gaps of one request, None if they can be.

    >>> import numpy as np
    >>> problem(np.array([0, 0, 7200, 60, 60])) is None
    True
    >>> problem(np.array([60, 7200]))
    'expected the oldest behavior first, so that gaps do not grow; received 60 before 7200'

    Args:
      gaps: `[l]` int64.
    """
    if not len(gaps):
        return None
    lowest, highest = int(gaps.min()), int(gaps.max())
    if lowest < 0 or highest > LONGEST:
        return f"{IN_RANGE} {lowest} to {highest}"
    grows = (gaps[1:] > gaps[:-1]) & (gaps[:-1] > 0)
    if grows.any():
        first = int(grows.argmax())
        return f"{IN_ORDER} {gaps[first]} before {gaps[first + 1]}"
    return None
