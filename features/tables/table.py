"""A table: opened and checked once, then read unit by unit, in any process."""

import ast
import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from absl import logging

from features.arrays import Booleans, Integers
from features.errors import UserInputError
from features.tables import expressions, formats, kinds, listing, pruning
from features.tables import schema as schemas
from features.tables.expressions import Expression
from features.tables.listing import FoundFile, Listing
from features.tables.locations.hive_keys import Keys
from features.tables.names import feature_name
from features.tables.options import DEFAULT, TableOptions
from features.tables.places import BATCH_ROWS, Content, Place
from features.tables.schema import Column, Layout, TableSchema


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


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose files were found and inspected.

    Attributes:
      flag: that named it, for messages.
      location: as it was given, for messages.
      schema: its columns.
      reader: reads its units.
      units: in order.
      files: in order.
      fingerprints: name, size and digest of each file.
      passed_over: path and reason of what lies there and is no data.
      pruned: files that `--filter` ruled out by their folders.
    """

    flag: str
    location: str
    schema: TableSchema
    reader: Reader
    units: tuple[Unit, ...]
    files: tuple[FoundFile, ...]
    fingerprints: tuple[dict[str, object], ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    pruned: int = 0

    @property
    def rows(self) -> int:
        """How many rows the files have, before `--filter`."""
        return sum(unit.place.rows for unit in self.units)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, in order."""
        return tuple(file.path for file in self.files)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(self.schema.columns)

    def has(self, name: str) -> bool:
        """Whether some file has a column.

        Raises:
          UserInputError: it has several of that name.
        """
        column = self.schema.columns.get(name)
        if column is not None and column.problem:
            raise UserInputError(f"--{self.flag}: {column.problem}.")
        return column is not None

    def column(
        self,
        name: str,
        accepts: Callable[[pa.DataType], bool],
        expected: str,
        everywhere: bool = True,
    ) -> Column:
        """Returns a column that is of an accepted type.

        Args:
          name: of the column.
          accepts: of its canonical type, or of its own if it has no canonical one.
          expected: what is accepted, for the message.
          everywhere: whether every file with rows has to have it.

        Raises:
          UserInputError: names file, column, expected and received type, and what to do.
        """
        if not self.has(name):
            raise UserInputError(f"--{self.flag}: {self._without(name, expected)}")
        column = self.schema.columns[name]
        received = column.received if column.kind is None else column.kind
        if not accepts(received):
            called = repr(name) if column.own == name else f"{column.own!r} ({name})"
            raise UserInputError(
                f"--{self.flag}: {column.path!r}: column {called} is {column.received}, expected "
                f"{expected}. Cast the column and write the file again, or name another one with "
                f"--column {name}=COLUMN."
            )
        if everywhere and column.lacking is not None:
            raise UserInputError(
                f"--{self.flag}: {column.lacking!r} has no column {name!r}, but other files of "
                f"{self.location!r} have, such as {column.path!r}. Write it to all files or to "
                "none."
            )
        return column

    def renamed(self, names: Iterable[str]) -> dict[str, str | list[str]]:
        """Returns the files' own names of columns that are called otherwise there, by ours.

        Args:
          names: of columns; those that are not there are left out.

        Returns:
          A column's own name, or its own names where files differ.
        """
        found: dict[str, str | list[str]] = {}
        for name in names:
            owns = list(
                dict.fromkeys(layout[name] for layout in self.schema.layouts if name in layout)
            )
            if owns and owns != [name]:
                found[name] = owns[0] if len(owns) == 1 else owns
        return found

    def read(self, names: Sequence[str]) -> pa.Table:
        """Reads columns of the whole table.

        Raises:
          UserInputError: a file is not readable.
        """
        wanted = pa.schema([(name, self.reader.kinds[name]) for name in names])
        batches = []
        for unit in self.units:
            try:
                batches += [batch for batch, _ in self.reader.read(unit, names)]
            except (pa.ArrowException, OSError) as error:
                raise unreadable(self.flag, unit, error) from error
        return pa.Table.from_batches(batches, wanted)

    def _without(self, name: str, expected: str) -> str:
        columns = self.schema.columns.values()
        has = ", ".join(f"{one.own}: {one.received}" for one in columns) or "no column"
        return (
            f"{self._first!r} has no column {name!r}, expected {expected}. It has {has}. Name "
            f"the one that is meant with --column {name}=COLUMN, or write the file with it."
        )

    @property
    def _first(self) -> str:
        return self.files[0].path if self.files else self.location


def open_table(
    locations: str | Sequence[str],
    flag: str,
    options: TableOptions = DEFAULT,
    raw: Sequence[str] = (),
    is_log: bool = False,
    quiet: bool = False,
) -> Table:
    """Finds and inspects the files of a table. Nothing but their types is read.

    Args:
      locations: folders, files or globs, local or remote.
      flag: that named them, such as `events`; its first word is the table in `--column`.
      options: of the table.
      raw: columns that are read in their files' own types.
      is_log: whether `options.filter` is for this table.
      quiet: whether what was found is not logged.

    Raises:
      UserInputError: there is no data, a file is not readable, or the filter does not fit.
    """
    given = (locations,) if isinstance(locations, str) else tuple(locations)
    found = listing.list_files(given, flag)
    location = ", ".join(given)
    rows_that = None
    if is_log and options.filter is not None:
        filter_expression = expressions.parse(options.filter)
        # A key is not meant by a name that the user gave to a column.
        renamed = options.renamed(flag.partition(" ")[0])
        found = pruning.matching(found, filter_expression, flag, renamed)
        rows_that = _of_rows(filter_expression, found, renamed)
    files = [(one, _inspect(one.path, flag, options)) for one in found.files]
    columns = schemas.table_schema(
        [(one.path, content, one.keys) for one, content in files],
        flag.partition(" ")[0],
        options,
        raw,
    )
    units = tuple(
        Unit(one.path, one.name, number, content.format, place, columns.layout_of[number], one.keys)
        for number, (one, content) in enumerate(files)
        for place in content.places
    )
    readable = {
        name: column.kind
        for name, column in columns.columns.items()
        if column.kind is not None and not column.problem
    }
    table = Table(
        flag=flag,
        location=location,
        schema=columns,
        reader=Reader(readable, columns.layouts, options, tuple(raw), rows_that),
        units=units,
        files=found.files,
        fingerprints=tuple({"name": one.name, **content.fingerprint} for one, content in files),
        passed_over=found.passed_over,
        pruned=found.pruned,
    )
    if rows_that is not None:
        _check_filter(table, rows_that)
    if not quiet:
        logging.info("%s; %d rows.", listing.describe(found, flag), table.rows)
    return table


def check_renames_used(options: TableOptions, tables: Iterable[Table]) -> None:
    """Checks that every `--column` names a column of some table.

    Raises:
      UserInputError: one does not.
    """
    opened = tuple(tables)
    for text in options.columns:
        if not is_rename_used(text, opened):
            left, _, column = text.partition("=")
            of = left.strip().rpartition(".")[0]
            where = f"the table {of!r}" if of else "any table"
            raise UserInputError(
                f"--column {text!r}: there is no column {column.strip()!r} in {where} of this "
                f"job; its tables are {', '.join(table.flag for table in opened) or 'none'}. They "
                "have "
                + (
                    "; ".join(f"{table.flag}: {', '.join(_owns(table))}" for table in opened)
                    or "nothing"
                )
                + "."
            )


def is_rename_used(text: str, tables: Iterable[Table]) -> bool:
    """Whether a `--column` names a column of some table."""
    of, _, name = text.partition("=")[0].strip().rpartition(".")
    return any(
        name in table.schema.renames_used
        for table in tables
        if of in ("", table.flag.partition(" ")[0])
    )


def unreadable(flag: str, unit: Unit, error: Exception) -> UserInputError:
    """Returns the error of a unit that could not be read."""
    return UserInputError(
        f"--{flag}: {unit.path!r}, rows {unit.place.first_row} to "
        f"{unit.place.first_row + unit.place.rows}, cannot be read: {error}. Write the file "
        "again, or move it out of the folder."
    )


def _of_rows(expression: Expression, found: Listing, renamed: Collection[str]) -> Expression | None:
    """Returns what is left of a filter once files were ruled out by their keys."""
    keys = [{feature_name(name) for name, _ in file.keys} for file in found.files]
    decided = set.intersection(*keys).difference(renamed) if keys else set()
    tree = expression.tree
    is_all = isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And)
    parts = [
        expressions.of_tree(expression.text, part)
        for part in (tree.values if is_all else [tree])  # type: ignore[attr-defined]
    ]
    left = [part.tree for part in parts if not set(part.columns) <= decided]
    if not left:
        return None
    return expressions.of_tree(
        expression.text, left[0] if len(left) == 1 else ast.BoolOp(ast.And(), left)
    )


def _check_filter(table: Table, expression: Expression) -> None:
    """Checks that a filter's columns are there, and compare with what it says."""
    for name in expression.columns:
        table.column(name, lambda kind: True, "(--filter)", everywhere=False)
    empty = {name: pa.nulls(0, kind) for name, kind in table.reader.kinds.items()}
    try:
        expression.evaluate(empty)
    except UserInputError as error:
        raise UserInputError(f"--filter: {error}") from error


def _owns(table: Table) -> list[str]:
    return [column.own for column in table.schema.columns.values()]


def _inspect(path: str, flag: str, options: TableOptions) -> Content:
    try:
        return formats.inspect(path, options)
    except UserInputError as error:
        raise UserInputError(f"--{flag}: {error}") from error


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
