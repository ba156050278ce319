"""The framing of records in a TFRecord file.

A record is its length (uint64, little endian), the masked CRC-32C of that length, the bytes,
and the masked CRC-32C of the bytes, as TensorFlow's `tsl/lib/io/record_writer.h` documents it.
Framing here rather than through a writer lets a Beam worker write to any file system that
Beam knows and hash the shard in the same pass.
"""

import functools
import struct

import google_crc32c

_MASK_DELTA = 0xA282EAD8


def frame(record: bytes) -> bytes:
    """Returns the record as it stands in a TFRecord file."""
    return b"".join((_header(len(record)), record, _masked_crc(record)))


@functools.lru_cache(maxsize=1 << 16)
def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _masked_crc(packed)


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return (((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF).to_bytes(4, "little")
