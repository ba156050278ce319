"""The parts of a cache, opened with their checks: the backfill and all readers do it here.

A part that a backfill publishes has passed what `ProjectionCache.open` checks.
"""

import contextlib
import errno
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import Array
from features.embeddings import byte_vectors
from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.ids import id_table

ITEM_ID = "item_id"
TAG_KEY = b"tag"
"""The key of the tag in a part's own metadata."""

FOLDER = "parts"

_REMEDY = "Run the backfill again: it computes the rows of damaged parts anew."


class DamagedPartError(UserInputError):
    """A part does not match its entry in the version's manifest.

    Args:
      what: a sentence without its period.
    """

    def __str__(self) -> str:
        return f"{self.args[0]}. {_REMEDY}"


def path_of(base: str, part: Mapping[str, Any]) -> str:
    """Returns the path of a part by its entry in a version's manifest."""
    return manifest.below(storage.join(base, FOLDER), part["file"])


def check_footer(
    base: str, part: Mapping[str, Any], tag: str, columns: Mapping[str, Mapping[str, Any]]
) -> None:
    """Checks what a part says of itself, before anything is allocated for its rows.

    Args:
      base: the cache's own folder.
      part: its entry in the version's manifest.
      tag: the version's.
      columns: `dtype` and `shape` of each output, by the version's manifest.

    Raises:
      DamagedPartError: it is missing, of another tag, or has other rows or outputs.
    """
    with _opened(base, part) as (path, file):
        schema, rows = file.schema_arrow, file.metadata.num_rows
    _check_rows(path, rows, part)
    _check_tag(path, schema, tag)
    for name, column in columns.items():
        wanted = column["dtype"], math.prod(column["shape"]), bool(column["shape"])
        # Also -1 for a name that is there twice.
        place = schema.get_field_index(name)
        if place < 0 or _layout(schema.field(place).type) != wanted:
            received = "none" if place < 0 else schema.field(place).type
            raise DamagedPartError(
                f"{path!r} has {received} as {name!r}, expected {column['dtype']} of the shape "
                f"{column['shape']}"
            )


def read(
    base: str, part: Mapping[str, Any], tag: str, only: Sequence[str] | None = None
) -> pa.Table:
    """Reads a part and checks its bytes, tag, rows and item ids.

    Args:
      base: the cache's own folder.
      part: its entry in the version's manifest.
      tag: the version's.
      only: columns, the item ids first. The file is then hashed piece by piece, and once per
        process as long as it does not change. Otherwise what was hashed is what is returned.

    Raises:
      DamagedPartError: it is missing, has other bytes, rows or ids, or is of another tag.
    """
    data = _verified(base, part, in_memory=only is None)
    with _opened(base, part, data) as (path, file):
        table = file.read(only)
    _check_rows(path, len(table), part)
    _check_tag(path, table.schema, tag)
    is_there = ITEM_ID in table.column_names and pa.types.is_int64(table[ITEM_ID].type)
    if not is_there or not id_table.is_ascending(table[ITEM_ID].to_numpy()):
        raise DamagedPartError(f"{path!r} has no {ITEM_ID} in strictly ascending order, of int64")
    return table


def groups(base: str, part: Mapping[str, Any]) -> int:
    """Returns how many groups of rows a part has.

    Raises:
      DamagedPartError: it is missing, or is no such Parquet any more.
    """
    with _opened(base, part) as (_, file):
        count: int = file.num_row_groups
        return count


def read_group(base: str, part: Mapping[str, Any], group: int) -> pa.Table:
    """Reads a group of rows of a part that was checked.

    Raises:
      DamagedPartError: it is missing, or is no such Parquet any more.
    """
    with _opened(base, part) as (_, file):
        return file.read_row_group(group)


def flat_values(column: pa.ChunkedArray) -> Array:
    """Returns a column as an array, `[N]` or, of lists or bytes, `[N, K]`."""
    rows = byte_vectors.as_lists(column.combine_chunks())
    if not pa.types.is_fixed_size_list(rows.type):
        numbers: Array = rows.to_numpy(zero_copy_only=False)
        return numbers
    values: Array = rows.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), rows.type.list_size)


def _verified(base: str, part: Mapping[str, Any], in_memory: bool) -> bytes | None:
    """Compares a part's bytes with its entry, and returns them if they are wanted."""
    path, data = path_of(base, part), None
    try:
        if in_memory:
            data = storage.read_bytes(path)
            digest = hashlib.sha256(data).hexdigest()
        else:
            digest = checked.sha256(path)
    except (OSError, UserInputError) as error:
        raise _unreadable(path, error) from error
    if digest != part["sha256"]:
        raise DamagedPartError(
            f"{path!r} is damaged: its sha256 is {digest}, expected {part['sha256']}"
        )
    return data


@contextlib.contextmanager
def _opened(
    base: str, part: Mapping[str, Any], data: bytes | None = None
) -> Iterator[tuple[str, pq.ParquetFile]]:
    """Yields a part's path and the part, from its file or from the bytes of it."""
    path = path_of(base, part)
    try:
        with (
            storage.open_parquet(path) if data is None else pq.ParquetFile(pa.BufferReader(data))
        ) as file:
            yield path, file
    except (pa.ArrowException, OSError, UserInputError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: Exception) -> Exception:
    """Returns the error itself where disk or network may answer later, else that of a damage."""
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT, errno.EISDIR):
        return error
    if isinstance(error, UserInputError) and (
        isinstance(error, DamagedPartError) or storage.is_file(path)
    ):
        return error
    what = str(error).rstrip(".")
    return DamagedPartError(f"{path!r} is missing or no Parquet: {what}")


def _check_rows(path: str, rows: int, part: Mapping[str, Any]) -> None:
    if rows != part["rows"]:
        raise DamagedPartError(f"{path!r} has {rows} rows, expected {part['rows']}")


def _check_tag(path: str, schema: pa.Schema, tag: str) -> None:
    own = (schema.metadata or {}).get(TAG_KEY, b"").decode(errors="replace")
    if own != tag:
        raise DamagedPartError(f"{path!r} is of tag {own!r}, its version of {tag!r}")


def _layout(kind: pa.DataType) -> tuple[str, int, bool]:
    """Returns a column's dtype, its values per row, and whether those are a list."""
    if byte_vectors.is_column(kind):
        return "int8", kind.byte_width, True
    if pa.types.is_fixed_size_list(kind):
        return _dtype(kind.value_type), kind.list_size, True
    return _dtype(kind), 1, False


def _dtype(kind: pa.DataType) -> str:
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return np.dtype(kind.to_pandas_dtype()).name if is_number else str(kind)
