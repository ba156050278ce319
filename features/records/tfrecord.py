"""The framing of records in a TFRecord file.

A framed record is its length (uint64, little endian), the masked CRC-32C of the length, the bytes,
and the masked CRC-32C of the bytes, as TensorFlow's `tsl/lib/io/record_writer.h` documents it. It
is written here, not by TensorFlow's writer, so that a Beam worker needs no TensorFlow, can write
to any of Beam's file systems, and hashes a shard in the same pass. It is read here where a file may
end within a record, after which TensorFlow's reader raises.
"""

import enum
import functools
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import google_crc32c

GZIP_SUFFIX = ".gz"
"""Ends the name of a file that is compressed; `record_files` reads such files."""

LARGEST_RECORD = 2**29
"""Bytes of the largest record that is read; a request and its answer are 256 MiB each at most."""

_MASK_DELTA = 0xA282EAD8
_HEADER_BYTES = 12
_CRC_BYTES = 4


class Problem(enum.Enum):
    """Why there is no record at a place in a file."""

    TORN = "cut off at the end of a file"
    DAMAGED = "damaged"


class Frame(NamedTuple):
    """A place in a file: a record, or a problem."""

    offset: int
    record: bytes
    problem: Problem | None = None


class Readable(Protocol):
    """A file that is open for reading at any position."""

    def seek(self, position: int, /) -> object:
        """Moves to a position."""

    def read(self, count: int, /) -> bytes:
        """Returns the next bytes, fewer at the end."""


def frame(record: bytes) -> bytes:
    """Returns the record with its frame, as a TFRecord file holds it."""
    return b"".join((_header(len(record)), record, _masked_crc(record)))


def whole_records(file: Readable, size: int, start: int = 0) -> Iterator[Frame]:
    """Yields every whole record of a file, whose end another process may be writing.

    What a killed writer left of a last record is yielded as torn. A record that was changed is
    yielded as damaged. After a changed length nothing more can be found.

    Args:
      file: TFRecords, without compression.
      size: of the file in bytes; no length is believed beyond it.
      start: the offset of a record.
    """
    offset = start
    file.seek(offset)
    while offset < size:
        header = file.read(_HEADER_BYTES)
        length = int.from_bytes(header[:8], "little")
        if len(header) < _HEADER_BYTES:
            yield Frame(offset, b"", Problem.TORN)
            return
        if header[8:] != _masked_crc(header[:8]) or length > LARGEST_RECORD:
            yield Frame(offset, b"", Problem.DAMAGED)
            return
        framed = _HEADER_BYTES + length + _CRC_BYTES
        if offset + framed > size:
            yield Frame(offset, b"", Problem.TORN)
            return
        record, crc = file.read(length), file.read(_CRC_BYTES)
        is_right = len(record) == length and crc == _masked_crc(record)
        yield Frame(offset, record) if is_right else Frame(offset, b"", Problem.DAMAGED)
        offset += framed


@functools.lru_cache(maxsize=1 << 16)
def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _masked_crc(packed)


def _masked_crc(data: bytes) -> bytes:
    crc: int = google_crc32c.value(data)
    return (((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF).to_bytes(4, "little")
