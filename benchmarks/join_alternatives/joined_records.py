"""The records that a join wrote, whatever its shards are called, to compare two joins."""

import glob
import hashlib
import os
import struct
from collections.abc import Iterator

from features.records import tfrecord

MODALITY = "text"
"""The one modality of the simulated log."""

_HEADER_BYTES, _FOOTER_BYTES = 12, 4


def shard_bytes(folder: str) -> int:
    """Returns the size of all TFRecord files of a folder."""
    return sum(map(os.path.getsize, _shards(folder)))


def read_records(path: str) -> Iterator[bytes]:
    """Yields the records of a TFRecord file.

    Raises:
      ValueError: a frame's checksum or length is wrong.
    """
    with open(path, "rb") as file:
        while header := file.read(_HEADER_BYTES):
            record = file.read(struct.unpack("<Q", header[:8])[0])
            if tfrecord.frame(record) != header + record + file.read(_FOOTER_BYTES):
                raise ValueError(f"{path!r}: a frame does not fit its record.")
            yield record


def fingerprints(folder: str) -> dict[str, list[bytes]]:
    """Returns the sorted digests of all records by split, which equal sets of records share.

    Args:
      folder: holds `<split>.tfrecord` or `<split>-<shard>.tfrecord` files.
    """
    digests: dict[str, list[bytes]] = {}
    for path in _shards(folder):
        split = os.path.basename(path).removesuffix(".tfrecord").partition("-")[0]
        own = digests.setdefault(split, [])
        own.extend(
            hashlib.blake2b(record, digest_size=16).digest() for record in read_records(path)
        )
    return {split: sorted(own) for split, own in digests.items() if own}


def check_equal(folder: str, other: str) -> int:
    """Checks that two folders hold the same records in the same splits, in any order.

    Returns:
      The number of records.

    Raises:
      RuntimeError: they differ; says by how much.
    """
    found, expected = fingerprints(folder), fingerprints(other)
    if found != expected:
        counts = {
            split: (len(found.get(split, ())), len(expected.get(split, ())))
            for split in sorted({*found, *expected})
        }
        raise RuntimeError(
            f"The records of {folder!r} and {other!r} differ; records by split in each: {counts}. "
            "No ratio of their times would mean anything."
        )
    return sum(map(len, found.values()))


def _shards(folder: str) -> list[str]:
    return sorted(glob.glob(os.path.join(glob.escape(folder), "*.tfrecord")))
