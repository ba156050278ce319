"""The format of a file, and reading files by places."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from features.tables.options import TableOptions
from features.tables.places import Content, Place


def inspect(path: str, options: TableOptions) -> Content:
    """Opens a file and returns what it holds.

    Raises:
      UserInputError: it is not readable, or of no known format.
    """
    raise NotImplementedError


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
    raise NotImplementedError
