"""Splits: the assignment of requests to train, validation and test by time.

Three ways: explicit ranges; fractions of the log's rows by time, one cut for all users; or
fractions of each user's rows. The last fraction of rows is test, the one before validation,
so a row that shares its instant with the first test row is test too.
"""

import dataclasses
import datetime
import itertools

import numpy as np

from features.errors import UserInputError
from features.tables import times

FRACTION_SPLITS = ("train", "validation", "test")
OUTSIDE = -1

BEGIN = np.iinfo(np.int64).min
END = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class Split:
    """A named half-open range of time, microseconds."""

    name: str
    begin: int
    end: int


def parse_ranges(text: str, unit: str) -> tuple[Split, ...]:
    """Parses `train:..T1,validation:T1..T2,test:T2..`.

    >>> parse_ranges("train:..10,test:10..", "s")[1].begin
    10000000

    Args:
      text: names and ranges; a bound is a number in `unit` or a UTC date, or left out.
      unit: `s`, `ms`, `us` or `ns`.

    Raises:
      UserInputError: the text has another form, a range is empty, or two overlap.
    """
    ranges = []
    for part in text.split(","):
        name, colon, bounds = part.strip().partition(":")
        begin, dots, end = bounds.partition("..")
        if not (name.isidentifier() and colon and dots):
            raise UserInputError(
                f"Split {part!r} is not of the form name:BEGIN..END, for instance "
                "train:..2024-05-01,validation:2024-05-01..2024-06-01,test:2024-06-01.."
            )
        split = Split(name, _bound(begin, unit, BEGIN), _bound(end, unit, END))
        if split.begin >= split.end:
            raise UserInputError(f"Split {part!r} is empty: its end must be after its begin.")
        ranges.append(split)
    by_time = sorted(ranges, key=lambda split: split.begin)
    for earlier, later in itertools.pairwise(by_time):
        if later.begin < earlier.end:
            raise UserInputError(f"Splits {earlier.name!r} and {later.name!r} overlap in time.")
    if len({split.name for split in ranges}) != len(ranges):
        raise UserInputError(f"Splits {text!r} use a name twice.")
    return tuple(ranges)


def fraction_bounds(fractions: tuple[float, ...], rows: int | np.ndarray) -> np.ndarray:
    """Returns how many rows lie before validation and before test.

    Args:
      fractions: train, validation, test.
      rows: a number of rows, or `[N]` of them.

    Returns:
      `[2]` or `[N, 2]` int64.
    """
    shares = np.cumsum(fractions)[:-1]
    return np.rint(np.multiply.outer(np.asarray(rows), shares)).astype(np.int64)


def split_at(cut_times: tuple[int, int]) -> tuple[Split, ...]:
    """Returns the splits that two cut times, microseconds, make."""
    edges = (BEGIN, *cut_times, END)
    return tuple(
        Split(name, edges[index], edges[index + 1]) for index, name in enumerate(FRACTION_SPLITS)
    )


def assign_by_time(splits: tuple[Split, ...], timestamps: np.ndarray) -> np.ndarray:
    """Returns the index of each timestamp's split.

    Args:
      splits: disjoint.
      timestamps: `[R]` int64, microseconds.

    Returns:
      `[R]` int64, `OUTSIDE` where no split covers it.
    """
    assigned = np.full(len(timestamps), OUTSIDE)
    for index, split in enumerate(splits):
        assigned[(timestamps >= split.begin) & (timestamps < split.end)] = index
    return assigned


def assign_by_user(
    fractions: tuple[float, ...], first_position: np.ndarray, user_rows: np.ndarray
) -> np.ndarray:
    """Returns the index of each request's split within its user's rows.

    Args:
      fractions: train, validation, test.
      first_position: `[R]`, how many of the user's rows precede the request's first.
      user_rows: `[R]`, how many rows the user has.

    Returns:
      `[R]` int64 in `[0, 3)`.
    """
    bounds = fraction_bounds(fractions, user_rows)
    return (first_position[:, None] >= bounds).sum(axis=1)


def _bound(text: str, unit: str, absent: int) -> int:
    text = text.strip()
    if not text:
        return absent
    try:
        return int(text) * 1_000_000 // times.PER_SECOND[unit]
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise UserInputError(
            f"Split bound {text!r} is neither a whole number of {unit} nor a date such as "
            "2024-05-31."
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp()) * 1_000_000
