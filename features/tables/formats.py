"""The format of a file, and reading files by places."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from features.errors import UserInputError
from features.files import stamps, storage
from features.tables import csv_format, json_format, npy_format, orc_format, parquet_format
from features.tables.options import DEFAULT, TableOptions
from features.tables.places import BATCH_ROWS, Content, Place
from features.tables.text.files import TextFile

# First bytes, last bytes and suffix of formats that are no text.
_BINARIES = {
    "parquet": (parquet_format.MAGIC, parquet_format.MAGIC, ".parquet"),
    "orc": (orc_format.MAGIC, orc_format.MAGIC, ".orc"),
    "npy": (npy_format.MAGIC, b"", ".npy"),
}
_TEXTS = {".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
_COMPRESSIONS = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".lz4")
_OTHERS = {
    b"ARROW1": "an Arrow (Feather) file",
    b"Obj\x01": "an Avro file",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"SQLite": "an SQLite database",
    b"\xfd7zXZ": "compressed by xz",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
_EXPECTED = (
    "expected Parquet, ORC or .npy (known by their bytes), JSON lines, or CSV whose name ends in "
    ".csv or .tsv; texts may be compressed by gzip, zstd, bz2 or lz4"
)


def inspect(path: str, options: TableOptions) -> Content:
    """Opens a file and returns what it holds.

    Raises:
      UserInputError: it is not readable, or of no known format.
    """
    try:
        before = stamps.stamp(path)
    except OSError as error:
        raise _unopened(path, error) from error
    content = _inspect(path, options)
    return dataclasses.replace(content, stamps={path: before, **content.stamps})


def _inspect(path: str, options: TableOptions) -> Content:
    match _format(path):
        case "csv":
            return csv_format.inspect(path, _delimiter(path, options), options)
        case "json":
            return json_format.inspect(path)
        case "orc":
            return orc_format.inspect(path)
        case "npy":
            return npy_format.inspect(path)
        case _:
            return parquet_format.inspect(path)


def read(
    path: str,
    file_format: str,
    place: Place,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    options: TableOptions,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Reads columns of a place, in batches.

    Args:
      path: of the file.
      file_format: as `inspect` found it.
      place: what to read.
      names: of the columns, as in the file.
      types: of these columns, that texts are parsed to.
      options: of the table.
      batch_rows: most rows of a batch, at most `places.BATCH_ROWS`; Parquet decodes no more at
        once.

    Raises:
      pa.ArrowException, OSError: the place is not readable.
    """
    if file_format == "parquet":
        return parquet_format.read(path, place, names, batch_rows)
    return _cut(_batches(path, file_format, place, names, types, options), batch_rows)


def _batches(
    path: str,
    file_format: str,
    place: Place,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    options: TableOptions,
) -> Iterator[pa.RecordBatch]:
    """Reads columns of a place, in batches as the format has them."""
    match file_format:
        case "csv":
            delimiter = _delimiter(path, options)
            return csv_format.read(path, delimiter, place, names, types, options)
        case "json":
            return json_format.read(path, place, names, types, options)
        case "orc":
            return orc_format.read(path, place, names)
        case _:
            return npy_format.read(path, place, names)


def _cut(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, most):
            yield batch.slice(start, most)


def _delimiter(path: str, options: TableOptions) -> str:
    """Returns what separates values: tabs in `.tsv`, unless another one is given."""
    if options.delimiter == DEFAULT.delimiter and _suffix(path) == ".tsv":
        return "\t"
    return options.delimiter


def _suffix(path: str) -> str:
    """Returns the suffix of a file without that of its compression, in small letters.

    >>> _suffix("s3://logs/day.1/part-0.CSV.gz"), _suffix("logs/day.1/part-0")
    ('.csv', '')
    """
    name = storage.base_name(path).lower()
    for compression in _COMPRESSIONS:
        name = name.removesuffix(compression)
    return os.path.splitext(name)[1]


def _format(path: str) -> str:
    """Returns the format of a file: by its bytes; of texts by the name, which then has to say it.

    Raises:
      UserInputError: it is not readable, or of no known format.
    """
    suffix = _suffix(path)
    try:
        with storage.open_input(path) as file:
            head, size = file.read(16), file.size()
            file.seek(max(size - 16, len(head)))
            tail = file.read(16) if suffix in _TEXTS else b""
    except OSError as error:
        raise _unopened(path, error) from error
    for name, (first, last, _) in _BINARIES.items():
        # The header of CSV may be "ORCID,name".
        if head.startswith(first) and (suffix not in _TEXTS or last in tail):
            return name
    for first, what in _OTHERS.items():
        if head.startswith(first):
            raise _unknown(path, f"is {what}")
    for first, _, of_name in _BINARIES.values():
        if suffix == of_name:
            raise UserInputError(
                f"{path!r} is not a readable {suffix} file: it begins with {head[:8]!r}, expected "
                f"{first!r}. Write it again, move it out of the folder, or name it by its format."
            )
    if suffix in _TEXTS:
        return _TEXTS[suffix]
    if _text_head(path).lstrip().startswith(b"{"):
        return "json"
    raise _unknown(path, f"begins with {head!r}")


def _text_head(path: str) -> bytes:
    try:
        with TextFile(path) as file:
            return file.head(1 << 12)
    except OSError:
        # What looked compressed is not.
        return b""


def _unopened(path: str, error: Exception) -> UserInputError:
    return UserInputError(
        f"{path!r} cannot be opened: {error}. Give files that are there and that this user may "
        "read, or move it out of the folder."
    )


def _unknown(path: str, received: str) -> UserInputError:
    return UserInputError(
        f"{path!r} {received}, {_EXPECTED}. Rename it, write it as one of these, or move it out "
        "of the folder."
    )
