"""The ids of the rows of an array of vectors, in a file beside it."""

import functools
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.files import storage
from features.files.file_system import resolved
from features.tables import csv_format, parquet_format
from features.tables.npy.arrays import NpyArray
from features.tables.options import DEFAULT
from features.tables.text import parsing
from features.tables.text.files import BYTE_ORDER_MARK

ITEM_ID = "item_id"
SUFFIXES = (".ids.npy", ".ids.txt", ".ids.parquet", ".ids.csv")

_INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"


def id_file(path: str) -> str:
    """Returns the file with the ids of an array.

    Raises:
      pa.ArrowInvalid: there is none, or more than one.
    """
    stem = re.sub(r"\.npy$", "", path, flags=re.IGNORECASE)
    found = [stem + suffix for suffix in SUFFIXES if storage.is_file(stem + suffix)]
    if len(found) != 1:
        raise pa.ArrowInvalid(f"beside it there are {found or 'no ids'}, expected one file of ids")
    return found[0]


def ids_of(path: str) -> pa.Array:
    """Returns the ids in a file, integers or strings.

    Raises:
      pa.ArrowException, OSError: the file is not readable, or holds no ids.
    """
    with resolved(path) as (filesystem, name):
        info = filesystem.get_file_info(name)
    return _read(path, info.size, info.mtime_ns)


@functools.lru_cache(maxsize=1)
def _read(path: str, size: int, changed: int) -> pa.Array:
    """Reads ids once for all places of an array, unless the file changes."""
    del size, changed
    if path.endswith(".npy"):
        return _of_array(path)
    return _of_lines(path) if path.endswith(".txt") else _of_column(path)


def _of_array(path: str) -> pa.Array:
    with NpyArray(path) as file:
        if len(file.shape) != 1 or file.dtype.kind not in "iuUS":
            raise pa.ArrowInvalid(
                f"{path!r} is an array of {file.dtype}, shape {list(file.shape)}; expected [N] "
                "integers or strings (np.save(path, ids.astype(str)))"
            )
        values = file.rows(0, file.shape[0])
    return pa.array(np.char.decode(values, "utf-8") if file.dtype.kind == "S" else values)


def _of_lines(path: str) -> pa.Array:
    text = storage.read_bytes(path).removeprefix(BYTE_ORDER_MARK)
    lines = pa.array(text.splitlines(), pa.binary())
    if pc.any(pc.equal(pc.binary_length(lines), 0)).as_py():
        number = text.splitlines().index(b"") + 1
        raise pa.ArrowInvalid(f"{path!r}, line {number} is empty, expected an id in each line")
    try:
        strings = parsing.parse(lines, pa.string())
    except parsing.BadTextError as error:
        raise pa.ArrowInvalid(f"{path!r}, line {error.row + 1}: {error}") from error
    integers = pc.all(pc.match_substring_regex(strings, _INTEGER)).as_py()
    try:
        return strings.cast(pa.int64()) if integers else strings
    except pa.ArrowInvalid:
        return strings


def _of_column(path: str) -> pa.Array:
    is_csv = path.endswith(".csv")
    content = csv_format.inspect(path, ",", DEFAULT) if is_csv else parquet_format.inspect(path)
    names = content.schema.names
    name = ITEM_ID if ITEM_ID in names else names[0] if len(names) == 1 else None
    if name is None:
        raise pa.ArrowInvalid(f"{path!r} has the columns {names}, expected {ITEM_ID!r}, or one")
    kind = content.schema.field(name).type
    if is_csv and not pa.types.is_integer(kind):
        kind = pa.string()
    chunks = [
        batch.column(0)
        for place in content.places
        for batch in (
            csv_format.read(path, ",", place, [name], {name: kind}, DEFAULT)
            if is_csv
            else parquet_format.read(path, place, [name])
        )
    ]
    if pa.types.is_dictionary(kind):
        kind, chunks = kind.value_type, [chunk.dictionary_decode() for chunk in chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], kind)
