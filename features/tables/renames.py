"""Whether every `--column` names a column of some table of a job."""

from collections.abc import Iterable

from features.errors import UserInputError
from features.tables.options import TableOptions
from features.tables.table import Table


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


def _owns(table: Table) -> list[str]:
    return [column.own for column in table.schema.columns.values()]
