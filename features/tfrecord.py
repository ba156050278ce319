"""The framing of records in a TFRecord file.

A record is its length (uint64, little endian), the masked CRC-32C of that length, the bytes,
and the masked CRC-32C of the bytes, as TensorFlow's `tsl/lib/io/record_writer.h` documents it.
Framing here rather than through a writer lets a Beam worker write to any file system that
Beam knows and hash the shard in the same pass.
"""

import struct

import google_crc32c

_MASK_DELTA = 0xA282EAD8


def frame(record: bytes) -> bytes:
    """Returns the record as it stands in a TFRecord file."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    masked = ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
    return struct.pack("<I", masked)
