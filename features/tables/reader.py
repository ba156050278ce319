"""Reading a table unit by unit, in any process: small, picklable, without looking at files."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from features.arrays import Booleans, Integers
from features.errors import UserInputError
from features.tables import formats, kinds
from features.tables import schema as schemas
from features.tables.expressions import Expression
from features.tables.locations.hive_keys import Keys
from features.tables.names import feature_name
from features.tables.options import DEFAULT, TableOptions
from features.tables.places import BATCH_ROWS, Place
from features.tables.schema import Layout


@dataclasses.dataclass(frozen=True)
class Unit:
    """The unit of reading: a place in a file.

    Attributes:
      path: of the file.
      name: of the file, below the location that it was found under.
      file: its position in the table.
      format: of the file.
      place: within the file.
      layout: position of the file's layout in `Reader.layouts`.
      keys: of its folders.
    """

    path: str
    name: str
    file: int
    format: str
    place: Place
    layout: int
    keys: Keys = ()


@dataclasses.dataclass(frozen=True)
class Reader:
    """Reads units of a table; small and picklable.

    Attributes:
      kinds: the type that each column is read in, by name.
      layouts: of the files.
      options: of the table.
      raw: columns that are read in their files' own types.
      rows_that: what rows have to pass; None for all rows.
    """

    kinds: Mapping[str, pa.DataType]
    layouts: tuple[Layout, ...]
    options: TableOptions = DEFAULT
    raw: tuple[str, ...] = ()
    rows_that: Expression | None = None

    def read(
        self, unit: Unit, names: Sequence[str], batch_rows: int = BATCH_ROWS
    ) -> Iterator[tuple[pa.RecordBatch, Integers]]:
        """Reads columns of a unit.

        Args:
          unit: what to read.
          names: of the columns; each is in `kinds`.
          batch_rows: most rows of a batch, at most `places.BATCH_ROWS`.

        Yields:
          Batches with these columns in their canonical types, null where a file lacks one; and
          the positions of their rows in the file, `[N]`.

        Raises:
          pa.ArrowException, OSError: the unit is not readable.
        """
        read = (*names, *(self.rows_that.columns if self.rows_that else ()))
        read = tuple(dict.fromkeys(read))
        first_row = unit.place.first_row
        for batch in self._batches(unit, read, batch_rows):
            rows = first_row + np.arange(batch.num_rows)
            first_row += batch.num_rows
            if self.rows_that is not None:
                passing = _passing(self.rows_that, batch)
                batch, rows = batch.filter(pa.array(passing)), rows[passing]
            yield batch.select(list(names)), rows

    def _batches(
        self, unit: Unit, names: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        layout = self.layouts[unit.layout]
        owns = list(dict.fromkeys(layout[name] for name in names if name in layout))
        types = {layout[name]: self.kinds[name] for name in names if name in layout}
        keys = {feature_name(key): value for key, value in unit.keys}

        def column(name: str, batch: pa.RecordBatch, rows: int) -> pa.Array:
            kind = self.kinds[name]
            if name in layout:
                own = batch.column(owns.index(layout[name]))
                return own if name in self.raw else kinds.converted(own, kind)
            return pa.repeat(schemas.key_value(keys.get(name), kind), rows)

        if not owns:
            for start in range(0, unit.place.rows, batch_rows):
                rows = min(batch_rows, unit.place.rows - start)
                empty = pa.record_batch([], names=[])
                yield pa.record_batch([column(name, empty, rows) for name in names], list(names))
            return
        place = unit.place
        for batch in formats.read(
            unit.path, unit.format, place, owns, types, self.options, batch_rows
        ):
            columns = [column(name, batch, batch.num_rows) for name in names]
            yield pa.record_batch(columns, list(names))


def unreadable(flag: str, unit: Unit, error: Exception) -> UserInputError:
    """Returns the error of a unit that could not be read."""
    place = unit.place
    group = {"parquet": f"row group {place.number}, ", "orc": f"stripe {place.number}, "}
    why = str(error).strip().rstrip(".")
    return UserInputError(
        f"--{flag}: {unit.path!r}, {group.get(unit.format, '')}rows {place.first_row} to "
        f"{place.first_row + place.rows}, cannot be read: {why}. Write the file again, or move it "
        "out of the folder."
    )


def _passing(expression: Expression, batch: pa.RecordBatch) -> Booleans:
    """Returns which rows pass; one with a null in a column of the expression does not."""
    columns = {name: batch[name] for name in expression.columns}
    known = np.ones(batch.num_rows, bool)
    for column in columns.values():
        known &= column.is_valid().to_numpy(zero_copy_only=False)
    mask = pa.array(known)
    passing = np.zeros(batch.num_rows, bool)
    kept = {name: column.filter(mask) for name, column in columns.items()}
    passing[known] = expression.evaluate(kept)
    return passing
