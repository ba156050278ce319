"""The flags of every job that reads tables: names, texts and rows."""

from collections.abc import Sequence

from absl import flags

from features.tables.options import DEFAULT, TableOptions
from features.tables.renames import is_rename_used
from features.tables.table import Table


def define_table_flags(has_log: bool = False) -> None:
    """Defines the flags; call it within a group.

    Args:
      has_log: whether a table is a log, whose rows and labels can be chosen.
    """
    many = flags.DEFINE_multi_string
    many(
        "column",
        [],
        "`NAME=COLUMN` Column with another name in the files, such as user_id=uid; "
        "TABLE.NAME=COLUMN for one table, such as items.item_id=sku.",
    )
    many(
        "text_column",
        [],
        "`NAME` Column that is read as text even where it looks like numbers, such as item_id.",
    )
    flags.DEFINE_string("delimiter", DEFAULT.delimiter, "`CHARACTER` Between the values of CSV.")
    many("null_value", list(DEFAULT.null_values), "`TEXT` What is no value in CSV.")
    if has_log:
        flags.DEFINE_string(
            "filter",
            None,
            "`EXPRESSION` Rows of logs that are read, such as \"date >= '2026-05-01'\"; also over "
            "KEY=VALUE folders.",
        )


def table_options() -> TableOptions:
    """Returns what the flags say.

    Raises:
      UserInputError: a `--column` is not `NAME=COLUMN`.
    """
    values = flags.FLAGS
    options = TableOptions(
        columns=tuple(values.column),
        text_columns=tuple(values.text_column),
        filter=values.filter if "filter" in values else None,
        delimiter=values.delimiter,
        null_values=tuple(values.null_value),
    )
    options.renamed("")
    return options


def arguments(options: TableOptions, tables: Sequence[Table]) -> list[str]:
    """Returns the flags with which a job reads some tables as they were read here."""
    found = [f"--column={text}" for text in options.columns if is_rename_used(text, tables)]
    found += [f"--text_column={name}" for name in options.text_columns]
    if options.delimiter != DEFAULT.delimiter:
        found.append(f"--delimiter={options.delimiter}")
    if options.null_values != DEFAULT.null_values:
        found += [f"--null_value={text}" for text in options.null_values]
    return found
