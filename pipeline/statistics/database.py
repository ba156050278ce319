"""DuckDB over streams: larger than memory, local, without extensions."""

import contextlib
import re
import tempfile
from collections.abc import Iterator

import duckdb

from features.errors import UserInputError
from pipeline.statistics.options import MEMORY_LIMIT


@contextlib.contextmanager
def open_database(
    folder: str, memory_limit: str = MEMORY_LIMIT
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens an empty database in memory that spills to a folder of its own, removed at the end.

    It reads nothing but what is registered with it: no file, no network, no extension.

    Args:
      folder: an existing folder with room for what does not fit into memory.
      memory_limit: as DuckDB writes it, such as `500MB`.

    Raises:
      UserInputError: the limit is not a size.
    """
    if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?)?B", memory_limit):
        raise UserInputError(
            f"--memory_limit {memory_limit!r} is not a size. Expected a number and a unit, such "
            "as 500MB or 4GB."
        )
    with (
        tempfile.TemporaryDirectory(prefix=".statistics-", dir=folder) as spill,
        duckdb.connect(
            ":memory:",
            config={
                "memory_limit": memory_limit,
                "temp_directory": spill,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "python_enable_replacements": False,
            },
        ) as connection,
    ):
        connection.execute("SET enable_external_access = false")
        # Groups may come in any order: every figure is a count, or is sorted with ties broken.
        connection.execute("SET preserve_insertion_order = false")
        yield connection


def identifier(name: str) -> str:
    """Returns a column's name as SQL writes it: in double quotes, those inside doubled."""
    return '"' + name.replace('"', '""') + '"'


def one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple:
    """Returns the row of a query that has just one."""
    (row,) = connection.execute(query).fetchall()
    return row
