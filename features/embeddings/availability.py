"""The column `available_at` of an embedding set: from when a vector counts."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import time_units
from features.arrays import Booleans, Integers
from features.errors import UserInputError
from features.tables import kinds, times
from features.tables.reader import Unit, unreadable
from features.tables.table import Table

AVAILABLE_AT = "available_at"

ALWAYS = np.iinfo(np.int64).min
"""The `available_at` of an embedding that is available at any time."""

EXPECTED = "int64 (microseconds since 1970), timestamps, dates or ISO texts"

_UNIT = "us"
_SAMPLE_ROWS = 1 << 13


def is_time(kind: pa.DataType) -> bool:
    """Whether a type can hold `available_at`, or is that of a column without a value."""
    return kinds.is_time(kind) or kinds.is_null(kind)


def microseconds(column: pa.ChunkedArray | pa.Array, unit: str = _UNIT) -> Integers:
    """Returns times in microseconds, `[N]`, and `ALWAYS` where there is none.

    Args:
      column: integers in `unit`, timestamps, dates or ISO texts.
      unit: `s`, `ms`, `us` or `ns`.

    Raises:
      pa.ArrowInvalid: a time is beyond what int64 microseconds can hold.
    """
    return known_times(column, unit)[0]


def known_times(column: pa.ChunkedArray | pa.Array, unit: str) -> tuple[Integers, Booleans]:
    """Returns times as `microseconds`, and where there is a text that is no time, `[N]` bool.

    Raises:
      pa.ArrowInvalid: a time is beyond what int64 microseconds can hold.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind = kinds.canonical(column.type)
    column = kinds.converted(column, kind)
    if pa.types.is_string(kind):
        found, known = times.microseconds(column, _UNIT)
        bad = ~known & column.is_valid().to_numpy(zero_copy_only=False)
        return np.where(known, found, ALWAYS), bad
    values = column.cast(pa.int64())
    if kind == pa.int64():
        values = _converted(values, unit)
    found = values.fill_null(ALWAYS).to_numpy(zero_copy_only=False)
    return found, np.zeros(len(column), bool)


def check_unit(table: Table, unit: str, advice: str) -> None:
    """Refuses a set whose times are in another unit, by the first of each file.

    Args:
      table: of the set.
      unit: the one that they are taken for.
      advice: what to do, with `{unit}` where the unit that fits belongs.

    Raises:
      UserInputError: names the file and the unit that fits.
    """
    if table.reader.kinds.get(AVAILABLE_AT) != pa.int64():
        return
    seen: set[int] = set()
    for one in table.units:
        if one.file in seen:
            continue
        values = _first_times(table, one)
        if len(values):
            seen.add(one.file)
        fitting = time_units.fitting_unit(values, unit)
        if fitting is not None:
            problem = time_units.misfit(values, unit, fitting)
            raise UserInputError(
                f"--{table.flag}: {one.path!r}: column {AVAILABLE_AT!r}: {problem}. "
                f"{advice.format(unit=fitting)}"
            )


def _converted(column: pa.Array, unit: str) -> pa.Array:
    per_second, wanted = time_units.PER_SECOND[unit], time_units.PER_SECOND[_UNIT]
    if per_second > wanted:
        return pc.divide(column, pa.scalar(per_second // wanted, pa.int64()))
    return pc.multiply_checked(column, pa.scalar(wanted // per_second, pa.int64()))


def _first_times(table: Table, unit: Unit) -> Integers:
    """Returns the times of the first batch of a unit that has some, `[N]`."""
    try:
        for batch, _ in table.reader.read(unit, [AVAILABLE_AT], _SAMPLE_ROWS):
            column = batch[AVAILABLE_AT]
            if column.null_count < len(column):
                found: Integers = column.drop_null().to_numpy()
                return found
    except (pa.ArrowException, OSError) as error:
        raise unreadable(table.flag, unit, error) from error
    return np.zeros(0, np.int64)
