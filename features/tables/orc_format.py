"""ORC files, read by stripes. Timestamps need the system's time zones (`tzdata`, or `TZDIR`)."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import orc

from features.errors import UserInputError
from features.files import storage
from features.tables.places import BATCH_ROWS, Content, Place, of_groups, positions

MAGIC = b"ORC"

# Field numbers of ORC's footer, in the format of protocol buffers.
_FOOTER, _STRIPES, _ROWS = 2, 3, 5
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def inspect(path: str) -> Content:
    """Returns what a file holds.

    Raises:
      UserInputError: it is not readable ORC.
    """
    try:
        with storage.open_input(path) as stream:
            file = orc.ORCFile(stream)
            schema, rows = file.schema, _stripe_rows(bytes(file.reader.serialized_file_tail()))
            if len(rows) != file.nstripes or sum(rows) != file.nrows:
                raise pa.ArrowInvalid(f"its stripes have {rows} rows, the file {file.nrows}")
        fingerprint = _fingerprint(path)
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} is not a readable ORC file: {error}. Write it again, or move it out of the "
            "folder."
        ) from error
    return Content("orc", schema, of_groups(rows), fingerprint)


def read(path: str, place: Place, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Reads columns of a stripe.

    Raises:
      pa.ArrowException, OSError: the stripe is not readable.
    """
    with storage.open_input(path) as stream:
        file = orc.ORCFile(stream)
        positions(file.schema.names, names)
        # Without a column to read, one is read for its rows.
        wanted = list(names) or file.schema.names[:1]
        stripe = file.read_stripe(place.start, columns=wanted)
    if sorted(stripe.schema.names) != sorted(wanted):
        raise pa.ArrowInvalid(f"columns {wanted} are read as {stripe.schema.names}")
    stripe = stripe.select(list(names))
    for start in range(0, place.rows, BATCH_ROWS):
        yield stripe.slice(start, BATCH_ROWS)


def _fingerprint(path: str) -> dict[str, object]:
    digest, size = hashlib.sha256(), 0
    for chunk in storage.chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _stripe_rows(tail: bytes) -> list[int]:
    """Returns how many rows each stripe has, which pyarrow does not say."""
    (footer,) = (value for number, value in _fields(tail) if number == _FOOTER)
    stripes = [dict(_fields(value)) for number, value in _fields(footer) if number == _STRIPES]
    return [stripe.get(_ROWS, 0) for stripe in stripes]


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yields number and value of a message's fields."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        size = {_FIXED_64: 8, _FIXED_32: 4}.get(kind)
        if kind == _BYTES:
            size, position = _varint(message, position)
        if size is None:
            raise pa.ArrowInvalid(f"its footer has a field of kind {kind}")
        yield number, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    """Returns an integer of variable length, and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
