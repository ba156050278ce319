"""Timestamps of any column as microseconds since 1970, UTC.

Integers have a unit, which the caller knows. Timestamps and dates have their own; without a zone
they are UTC. Texts are ISO 8601: `2026-05-01`, `2026-05-01 10:22:32.5`, with `T`, with `Z` or
`+02:00`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import time_units
from features.arrays import Booleans, Integers
from features.tables.kinds import TIMESTAMP

PER_SECOND = time_units.PER_SECOND
"""Units by name."""

LATEST = 7_289_654_400
"""2201-01-01, seconds since 1970: the first second that is no timestamp of a log."""

EXPECTED = "integers (in {unit}), timestamps, dates or ISO texts such as 2026-05-01 10:22:32"

_ISO = (
    r"^\s*(?P<day>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\d*)?"
    r"\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?\s*$"
)


def microseconds(column: pa.Array, unit: str) -> tuple[Integers, Booleans]:
    """Returns a column's times.

    Args:
      column: `[N]` int64, timestamp or string, as `kinds.canonical` has them.
      unit: of integers, `s`, `ms`, `us` or `ns`.

    Returns:
      `[N]` int64 microseconds, 0 where there is none; and `[N]` bool, False where the value is
      null, is no time, is before 1970 or after 2200.
    """
    if pa.types.is_string(column.type):
        column = _parsed(column)
    known: Booleans = column.is_valid().to_numpy(zero_copy_only=False)
    values: Integers = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    per_second = PER_SECOND["us" if column.type == TIMESTAMP else unit]
    # Compared before they are multiplied: seconds that are nanoseconds would overflow.
    known &= (values >= 0) & (values < LATEST * per_second)
    values = np.where(known, values, 0)
    if per_second > PER_SECOND["us"]:
        return values // (per_second // PER_SECOND["us"]), known
    return values * (PER_SECOND["us"] // per_second), known


def reason(name: str, kind: pa.DataType) -> str:
    """Returns why a row of which `microseconds` knows no time is bad."""
    if pa.types.is_string(kind):
        return f"{name} is no ISO time from 1970 to 2200"
    return f"{name} is negative or after 2200"


def _parsed(column: pa.Array) -> pa.Array:
    """Returns texts as timestamps, null where one is no time."""
    parts = pc.extract_regex(column, _ISO)
    fields = [
        pc.replace_with_mask(field, pc.equal(field, ""), pa.scalar(None, pa.string()))
        for field in parts.flatten()
    ]
    by_name = dict(zip([field.name for field in parts.type], fields, strict=True))
    time = pc.coalesce(by_name["time"], "00:00")
    whole = pc.binary_join_element_wise(by_name["day"], time, " ")
    try:
        naive = whole.cast(TIMESTAMP)
    except pa.ArrowInvalid:
        naive = pa.array([_one(text) for text in whole.to_pylist()], TIMESTAMP)
    return pc.subtract(naive.cast(pa.int64()), _offset(by_name["zone"])).cast(TIMESTAMP)


def _one(text: str | None) -> int | None:
    """Returns a text's microseconds; None where a day or an hour does not exist."""
    try:
        return int(pa.scalar(text, pa.string()).cast(TIMESTAMP).value) if text else None
    except pa.ArrowInvalid:
        return None


def _offset(zone: pa.Array) -> pa.Array:
    """Returns the microseconds east of UTC of `Z`, `+02`, `+0200` or `+02:00`; 0 for null."""
    digits = pc.replace_substring(pc.coalesce(zone, "Z"), ":", "")
    digits = pc.if_else(pc.equal(digits, "Z"), "+0000", pc.utf8_rpad(digits, 5, "0"))
    hours = pc.utf8_slice_codeunits(digits, 1, 3).cast(pa.int64())
    minutes = pc.utf8_slice_codeunits(digits, 3, 5).cast(pa.int64())
    seconds = pc.add(pc.multiply(hours, 3600), pc.multiply(minutes, 60))
    sign = pc.if_else(pc.starts_with(digits, "-"), -1_000_000, 1_000_000)
    return pc.multiply(seconds, sign)
