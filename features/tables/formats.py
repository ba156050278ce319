"""The format of a file, and reading files by places."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from features.errors import UserInputError
from features.files import storage
from features.tables import parquet_format
from features.tables.options import TableOptions
from features.tables.places import Content, Place


def inspect(path: str, options: TableOptions) -> Content:
    """Opens a file and returns what it holds.

    Raises:
      UserInputError: it is not readable, or of no known format.
    """
    del options
    _format(path)
    return parquet_format.inspect(path)


def read(
    path: str,
    file_format: str,
    place: Place,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    options: TableOptions,
) -> Iterator[pa.RecordBatch]:
    """Reads columns of a place, in batches of at most `places.BATCH_ROWS` rows.

    Args:
      path: of the file.
      file_format: as `inspect` found it.
      place: what to read.
      names: of the columns, as in the file.
      types: of these columns, that texts are parsed to.
      options: of the table.

    Raises:
      pa.ArrowException, OSError: the place is not readable.
    """
    del types, options
    if file_format == "parquet":
        return parquet_format.read(path, place, names)
    raise ValueError(f"Format {file_format!r} is not known.")


def _format(path: str) -> str:
    """Returns the format of a file, by its first bytes.

    Raises:
      UserInputError: it is not readable, or of no known format.
    """
    try:
        with storage.open_input(path) as file:
            head = file.read(16)
    except OSError as error:
        raise UserInputError(f"{path!r} cannot be opened: {error}.") from error
    if head.startswith(parquet_format.MAGIC) or path.endswith(".parquet"):
        return "parquet"
    raise UserInputError(
        f"{path!r} begins with {head[:8]!r}, expected a Parquet file, which begins with "
        f"{parquet_format.MAGIC!r}. Write the table as Parquet, or move the file out of the folder."
    )
