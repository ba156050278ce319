"""How the user says which columns, rows and texts of a table are meant."""

import dataclasses
import functools
from collections.abc import Mapping

from features.errors import UserInputError
from features.tables.names import feature_name


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """What the flags say of the tables of a job; picklable.

    Attributes:
      columns: columns with another name in the files, `NAME=COLUMN`, or `TABLE.NAME=COLUMN` for
        one table alone, such as `items.item_id=sku`.
      text_columns: columns that are read as text whatever their values look like.
      filter: an expression that the rows of logs have to pass; None for all rows.
      delimiter: between the values of a line of CSV.
      null_values: texts that are no value in CSV.
    """

    columns: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    filter: str | None = None
    delimiter: str = ","
    null_values: tuple[str, ...] = ("", "\\N")

    def renamed(self, table: str) -> Mapping[str, str]:
        """Returns the columns of a table that were given, file's name by ours.

        Args:
          table: as the flag is called that names it, such as `items`.

        Raises:
          UserInputError: a text is not `NAME=COLUMN`, or a name is given twice.
        """
        every, own = self._parsed
        return {**every, **own.get(table, {})}

    def is_text(self, column: str) -> bool:
        """Whether a column, by its name in a file, is read as text whatever its values are."""
        every, own = self._parsed
        given = {
            name for names in (every, *own.values()) for name in names if names[name] == column
        }
        return not given.union([feature_name(column)]).isdisjoint(self.text_columns)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that have columns of their own."""
        return tuple(self._parsed[1])

    @functools.cached_property
    def _parsed(self) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        every: dict[str, str] = {}
        own: dict[str, dict[str, str]] = {}
        for text in self.columns:
            left, separator, column = text.partition("=")
            table, dot, name = left.strip().rpartition(".")
            if not separator or not column.strip() or feature_name(name) != name:
                raise UserInputError(
                    f"--column {text!r} must be NAME=COLUMN or TABLE.NAME=COLUMN, with a name of "
                    "a-z, 0-9 and _, such as user_id=uid or items.item_id=sku."
                )
            names = own.setdefault(table, {}) if dot else every
            if name in names:
                raise UserInputError(
                    f"--column {text!r}: {left.strip()} is {names[name]!r} already. Give each "
                    "name one column."
                )
            names[name] = column.strip()
        return every, own


DEFAULT = TableOptions()
