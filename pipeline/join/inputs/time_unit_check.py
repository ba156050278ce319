"""Refusing times in another unit before the join starts, by the first times of a file."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features import time_units
from features.embeddings import availability
from features.embeddings.embedding_files import EmbeddingFiles
from features.errors import UserInputError
from features.schema import TIMESTAMP
from features.tables import kinds, times
from features.tables.reader import Unit
from features.tables.table import Table

_FILES = 16
"""Files of a table that are looked at, the first and the last among them."""

_AVAILABLE_AT = (
    f"Write {availability.AVAILABLE_AT} in microseconds, also where the log has another unit, or "
    "as a timestamp column; or ingest the set first: pipeline.ingest_embeddings "
    "--available_at_unit {unit}."
)


def first_times(table: Table, unit: str) -> np.ndarray:
    """Returns the first times of some files, after a check of their unit.

    Args:
      table: with a column `timestamp`, of times or of lists of them.
      unit: of integers, as `--timestamp_unit` has it.

    Returns:
      `[N]` int64 microseconds.

    Raises:
      UserInputError: integers fit another unit only; names it. Small numbers fit none and pass.
    """
    filled = {unit.file: unit for unit in reversed(table.units) if unit.place.rows}
    units = [filled[file] for file in sorted(filled)]
    chosen = np.unique(np.linspace(0, max(len(units) - 1, 0), _FILES).astype(int))
    found = [np.zeros(0, np.int64)]
    for one in (units[number] for number in chosen.tolist() if units):
        column = _first(table, one)
        if column.type == pa.int64():
            check_timestamps(column.to_numpy(), unit, one.path, table.flag)
        values, known = times.microseconds(column, unit)
        found.append(values[known])
    return np.concatenate(found)


def check_timestamps(values: np.ndarray, unit: str, path: str, flag: str) -> None:
    """Refuses integer times that fit another unit than `--timestamp_unit`.

    Args:
      values: `[N]` int64, some times of the file.
      unit: the one given.
      path: of the file.
      flag: the one that named it.

    Raises:
      UserInputError: names the unit that fits.
    """
    fitting = time_units.fitting_unit(values, unit)
    if fitting is not None:
        problem = time_units.misfit(values, unit, fitting)
        raise UserInputError(
            f"--{flag}: {path!r}: column {TIMESTAMP!r}: {problem}. Give --timestamp_unit {fitting}."
        )


def check_available_at(files: EmbeddingFiles, log_times: np.ndarray) -> None:
    """Refuses an embedding set whose `available_at` fits another unit than microseconds.

    Args:
      files: of the set.
      log_times: `[N]` int64 microseconds, some of the log's. Where these lie outside of any
        calendar, as numbers made for a test do, the set's may too.

    Raises:
      UserInputError: names file and unit.
    """
    if len(log_times) and not time_units.fits(log_times, "us"):
        return
    availability.check_unit(files.table, "us", _AVAILABLE_AT)


def _first(table: Table, unit: Unit) -> pa.Array:
    """Returns the first times of a unit, `[N]`; none where it cannot be read, as the join says."""
    try:
        batch, _ = next(table.reader.read(unit, [TIMESTAMP]))
    except (pa.ArrowException, OSError, StopIteration):
        return pa.array([], pa.int64())
    column = batch[TIMESTAMP]
    return (pc.list_flatten(column) if kinds.is_list(column.type) else column).drop_null()
