"""Parquet inputs: listing, opening and checking them before anything is written."""

import hashlib
import struct
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import UserInputError
from features.files import storage
from features.files.parquet_folder import parquet_files


def open_files(location: str, flag: str) -> dict[str, pq.ParquetFile]:
    """Opens the Parquet files of a folder, or one file; `flag` named it.

    Returns:
      Open files by path, in the order of their names.

    Raises:
      UserInputError: there is none, or one is not readable.
    """
    try:
        paths = parquet_files(location)
    except UserInputError as error:
        raise UserInputError(f"--{flag}: {error}") from error
    return {path: open_file(path, flag) for path in paths}


def open_file(path: str, flag: str) -> pq.ParquetFile:
    """Opens one file.

    Raises:
      UserInputError: it is not readable Parquet.
    """
    try:
        return storage.open_parquet(path)
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"--{flag}: {path!r} is not a readable Parquet file: {error}. Write it again, or "
            "move it out of the folder."
        ) from error


def check_column(
    path: str, schema: pa.Schema, name: str, accepts: Callable[[pa.DataType], bool], expected: str
) -> None:
    """Checks that a file has a column of an accepted type.

    Raises:
      UserInputError: names file, column, expected and received type, and what to do.
    """
    if name not in schema.names:
        raise UserInputError(
            f"{path!r} has no column {name!r}, expected {expected}. It has "
            f"{', '.join(f'{field.name}: {field.type}' for field in schema)}. Rename a column, or "
            "write the file with it."
        )
    received = schema.field(name).type
    if not accepts(received):
        raise UserInputError(
            f"{path!r}: column {name!r} is {received}, expected {expected}. Cast the column and "
            "write the file again."
        )


def same_kind(kinds: dict[str, pa.DataType], name: str) -> None:
    """Checks that all files hold an id column in one kind, int64 or string.

    Raises:
      UserInputError: the ids of two files could never be equal.
    """
    by_kind = {is_text(kind): path for path, kind in kinds.items()}
    if len(by_kind) > 1:
        raise UserInputError(
            f"Column {name!r} is a string in {by_kind[True]!r} and an integer in "
            f"{by_kind[False]!r}, so no id of one would be found in the other. Write both alike."
        )


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds strings, dictionary-encoded or not."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_integer(kind: pa.DataType) -> bool:
    """Whether a type holds integers that fit an int64."""
    return pa.types.is_integer(kind) and kind != pa.uint64()


def is_id(kind: pa.DataType) -> bool:
    """Whether a type can hold ids."""
    return is_text(kind) or is_integer(kind)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type holds lists, of one length or of any."""
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(kind) for is_kind in kinds)


def is_number(kind: pa.DataType) -> bool:
    """Whether a type holds numbers or booleans."""
    return is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def footer_fingerprint(path: str) -> dict[str, object]:
    """Returns name, size and sha256 of the footer, which holds every column's statistics."""
    size = storage.size(path)
    with storage.open_input(path) as file:
        file.seek(size - 8)
        length = struct.unpack("<I", file.read(4))[0]
        file.seek(size - 8 - length)
        footer = file.read(length)
    digest = hashlib.sha256(footer).hexdigest()
    return {"name": storage.base_name(path), "bytes": size, "footer_sha256": digest}


def decoded(column: pa.Array) -> pa.Array:
    """Returns a column without dictionary encoding."""
    return pc.dictionary_decode(column) if pa.types.is_dictionary(column.type) else column
