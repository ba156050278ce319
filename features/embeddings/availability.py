"""The column `available_at` of an embedding set: from when a vector counts."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import time_units
from features.arrays import Integers
from features.errors import UserInputError
from features.files import storage

AVAILABLE_AT = "available_at"

ALWAYS = np.iinfo(np.int64).min
"""The `available_at` of an embedding that is available at any time."""

EXPECTED = "int64 (microseconds since 1970) or a timestamp"

_UNIT = "us"


def is_time(kind: pa.DataType) -> bool:
    """Whether a type can hold `available_at`."""
    return bool(pa.types.is_integer(kind) or pa.types.is_timestamp(kind))


def microseconds(column: pa.ChunkedArray, unit: str = _UNIT) -> Integers:
    """Returns times in microseconds, `[N]`, and `ALWAYS` for null.

    Args:
      column: integers in `unit`, or timestamps, whose own unit counts.
      unit: `s`, `ms`, `us` or `ns`.

    Raises:
      pa.ArrowInvalid: a time is beyond what int64 microseconds can hold.
    """
    if pa.types.is_timestamp(column.type):
        # Of nanoseconds the digits below a microsecond are left out.
        zone = column.type.tz
        exact = column.type.unit != "ns"
        column = column.cast(pa.timestamp("us", zone), safe=exact).cast(pa.int64())
    else:
        column = _converted(column.cast(pa.int64()), unit)
    times: Integers = column.fill_null(ALWAYS).to_numpy()
    return times


def check_unit(path: str, unit: str, advice: str) -> None:
    """Refuses a file whose times are in another unit, by the first of them.

    Args:
      path: the file.
      unit: the one that they are taken for.
      advice: what to do, with `{unit}` where the unit that fits belongs.

    Raises:
      UserInputError: names the file and the unit that fits.
    """
    times = _first_times(path)
    fitting = time_units.fitting_unit(times, unit)
    if fitting is not None:
        problem = time_units.misfit(times, unit, fitting)
        raise UserInputError(
            f"{path!r}: column {AVAILABLE_AT!r}: {problem}. {advice.format(unit=fitting)}"
        )


def _converted(column: pa.ChunkedArray, unit: str) -> pa.ChunkedArray:
    per_second, wanted = time_units.PER_SECOND[unit], time_units.PER_SECOND[_UNIT]
    if per_second > wanted:
        return pc.divide(column, pa.scalar(per_second // wanted, pa.int64()))
    return pc.multiply_checked(column, pa.scalar(wanted // per_second, pa.int64()))


def _first_times(path: str) -> Integers:
    """Returns the times of the first row group that has some, `[N]`; none of timestamps."""
    with storage.open_parquet(path) as file:
        schema = file.schema_arrow
        if AVAILABLE_AT in schema.names and pa.types.is_integer(schema.field(AVAILABLE_AT).type):
            for group in range(file.num_row_groups):
                column = file.read_row_group(group, columns=[AVAILABLE_AT])[AVAILABLE_AT]
                if column.null_count < len(column):
                    times: Integers = column.drop_null().to_numpy()
                    return times
    return np.zeros(0, np.int64)
