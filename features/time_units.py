"""The unit that integer times are written in, judged by the years that they would mean."""

import numpy as np

from features.arrays import Integers

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""How many of a unit are in a second."""

_PLAUSIBLE = (631_152_000, 4_102_444_800)
"""1990 and 2100, seconds since 1970."""

_YEAR = 31_556_952
"""Seconds."""


def fitting_unit(values: Integers, unit: str) -> str | None:
    """Returns the unit that times are in if it is not the given one, None otherwise.

    A unit fits if the median lies between 1990 and 2100. Small numbers, such as positions in
    place of times, fit no unit.

    >>> fitting_unit(np.array([1_700_000_000, 1_700_000_060]), "us")
    's'
    >>> fitting_unit(np.array([1_700_000_000, 1_700_000_060]), "s") is None
    True
    >>> fitting_unit(np.arange(1000), "s") is None
    True

    Args:
      values: `[N]` integers since 1970.
      unit: `s`, `ms`, `us` or `ns`, the one they are taken for.
    """
    fitting = [name for name in PER_SECOND if fits(values, name)]
    return None if not fitting or unit in fitting else fitting[0]


def fits(values: Integers, unit: str) -> bool:
    """Whether the median of times in a unit lies between 1990 and 2100."""
    first, last = _PLAUSIBLE
    return bool(len(values)) and first <= float(np.median(values)) / PER_SECOND[unit] < last


def misfit(values: Integers, unit: str, fitting: str) -> str:
    """Returns what is wrong with times in `unit` that fit another, for a message."""
    median = float(np.median(values))
    return (
        f"the median, {median:.0f}, is {_year(median, unit)} in {unit}, but "
        f"{_year(median, fitting)} in {fitting}"
    )


def _year(time: float, unit: str) -> str:
    return f"the year {1970 + int(time / PER_SECOND[unit] // _YEAR)}"
