"""The framing of records in a TFRecord file.

A framed record is its length (uint64, little endian), the masked CRC-32C of the length, the bytes,
and the masked CRC-32C of the bytes, as TensorFlow's `tsl/lib/io/record_writer.h` documents it. It
is written here, not by TensorFlow's writer, so that a Beam worker needs no TensorFlow, can write
to any of Beam's file systems, and hashes a shard in the same pass.
"""

import functools
import struct

import google_crc32c

_MASK_DELTA = 0xA282EAD8


def frame(record: bytes) -> bytes:
    """Returns the record with its frame, as a TFRecord file holds it."""
    return b"".join((_header(len(record)), record, _masked_crc(record)))


@functools.lru_cache(maxsize=1 << 16)
def _header(length: int) -> bytes:
    packed = struct.pack("<Q", length)
    return packed + _masked_crc(packed)


def _masked_crc(data: bytes) -> bytes:
    crc: int = google_crc32c.value(data)
    return (((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF).to_bytes(4, "little")
