"""DuckDB over Parquet that pyarrow reads: larger than memory, local, without extensions."""

import contextlib
import re
import tempfile
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from features.errors import UserInputError
from features.files.file_system import resolved
from pipeline.statistics.options import MEMORY_LIMIT
from pipeline.tables import parquet


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


def parquet_dataset(location: str, flag: str) -> pads.Dataset:
    """Opens a folder of Parquet files, or one file, as one dataset with one schema.

    Dictionary-encoded columns are read as their values and half floats as floats; a column that
    has another type in another file is read in a type that holds both.

    Raises:
      UserInputError: there is no file, one is not readable, or the files' types do not go
        together.
    """
    files = parquet.open_files(location, flag)
    schemas = []
    for file in files.values():
        schemas.append(pa.schema([(one.name, _readable(one.type)) for one in file.schema_arrow]))
        file.close()
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise UserInputError(
            f"--{flag}: the files of {location!r} have columns whose types do not go together: "
            f"{error}. Write them alike."
        ) from error
    names = []
    for path in files:
        with resolved(path) as (filesystem, name):
            names.append(name)
    return pads.dataset(names, schema=schema, format="parquet", filesystem=filesystem)


def identifier(name: str) -> str:
    """Returns a column's name as SQL writes it: in double quotes, those inside doubled."""
    return '"' + name.replace('"', '""') + '"'


def one_row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple:
    """Returns the row of a query that has just one."""
    (row,) = connection.execute(query).fetchall()
    return row


def _readable(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.float32() if pa.types.is_float16(kind) else kind
