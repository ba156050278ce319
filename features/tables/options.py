"""How the user says which columns, rows and texts of a table are meant."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """What the flags say of the tables of a job; picklable.

    Attributes:
      columns: renamed columns, `NAME=COLUMN` or `TABLE.NAME=COLUMN`, see `schema`.
      filter: an expression that rows of logs have to pass; None for all rows.
      delimiter: between the values of a line of CSV.
      null_values: texts that are no value in CSV.
    """

    columns: tuple[str, ...] = ()
    filter: str | None = None
    delimiter: str = ","
    null_values: tuple[str, ...] = ("", "\\N")


DEFAULT = TableOptions()
