"""A table: opened and checked once, then read unit by unit, in any process."""

import ast
import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import pyarrow as pa
from absl import logging

from features.errors import UserInputError
from features.files import stamps
from features.files.stamps import Stamp
from features.tables import expressions, formats, listing, parquet_format, pruning
from features.tables import schema as schemas
from features.tables.expressions import Expression
from features.tables.listing import FoundFile, Listing
from features.tables.names import feature_name
from features.tables.options import DEFAULT, TableOptions
from features.tables.places import Content
from features.tables.reader import Reader, Unit, unreadable
from features.tables.schema import Column, TableSchema


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
      stamps: of the files, and of those that they are read with, from before they were opened.
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
    stamps: Mapping[str, Stamp]
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

    def unchanged(self) -> contextlib.AbstractContextManager[None]:
        """Returns what checks after a block that the files are those that were opened."""
        return stamps.checked_after(self.check_unchanged)

    def check_unchanged(self) -> None:
        """Checks that the files are those that were opened.

        Raises:
          UserInputError: a file was written, replaced or removed meanwhile.
        """
        try:
            stamps.check(self.stamps)
            for file, before in zip(self.files, self.fingerprints, strict=True):
                if parquet_format.DIGEST in before:
                    parquet_format.check_footer(file.path, before)
        except UserInputError as error:
            raise UserInputError(f"--{self.flag}: {error}") from error

    def read(self, names: Sequence[str]) -> pa.Table:
        """Reads columns of the whole table.

        Raises:
          UserInputError: a file is not readable, or changed while it was read.
        """
        wanted = pa.schema([(name, self.reader.kinds[name]) for name in names])
        batches = []
        with self.unchanged():
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
        stamps={path: one for _, content in files for path, one in content.stamps.items()},
        passed_over=found.passed_over,
        pruned=found.pruned,
    )
    if rows_that is not None:
        _check_filter(table, rows_that)
    if not quiet:
        logging.info("%s; %d rows.", listing.describe(found, flag), table.rows)
    return table


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


def _inspect(path: str, flag: str, options: TableOptions) -> Content:
    try:
        return formats.inspect(path, options)
    except UserInputError as error:
        raise UserInputError(f"--{flag}: {error}") from error
