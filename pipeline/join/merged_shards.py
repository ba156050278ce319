"""Small shards of a split put together, so that their size does not depend on the partitions.

A partition is what one worker joins at a time, a shard is what a reader opens and an object store
keeps. A rare split has little of every partition: its shards would be many and small.

What is compressed is compressed anew, to one gzip member: TensorFlow's reader misses what follows a
member, without an error, where the member ends at the end of one of its buffers.
"""

import functools
import hashlib
import itertools
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from absl import logging

from features.errors import RetryError
from features.files import storage
from features.records import tfrecord
from pipeline.join.planner import ENOUGH_PARTITIONS
from pipeline.publishing.shards import HashedFile, shard_name

_SMALL_BYTES = 64 << 20
_WANTED_BYTES = 128 << 20
_THREADS = 4
"""Copying and hashing leave the interpreter to others."""

Shards = dict[str, dict[str, Any]]
"""The manifest's entries of shards, by name."""


def merge_small(
    folder: str, shards: Mapping[str, Mapping[str, Any]], extension: str = "tfrecord"
) -> Shards:
    """Puts neighboring shards of each split together where they are small in the mean.

    Up to 16 shards of a split stay as they are: training mixes what it reads of several.

    Args:
      folder: of the shards; has the merged ones afterwards, under new names.
      shards: entries of the manifest, by name.
      extension: of their names.

    Returns:
      The entries afterwards. They depend on the given ones alone.

    Raises:
      RetryError: a shard is no longer what was written.
    """
    merged: Shards = {}
    for split in sorted({one["split"] for one in shards.values()}):
        own = {name: shards[name] for name in sorted(shards) if shards[name]["split"] == split}
        groups = _groups([one["bytes"] for one in own.values()])
        if len(groups) == len(own):
            merged |= {name: dict(one) for name, one in own.items()}
            continue
        names = list(own)
        wanted = {
            shard_name(split, number, len(groups), extension): names[begin:end]
            for number, (begin, end) in enumerate(groups)
        }
        with ThreadPoolExecutor(_THREADS) as pool:
            concatenate = functools.partial(_concatenate, folder, own)
            files = pool.map(concatenate, wanted, wanted.values())
            for (name, group), file in zip(wanted.items(), files, strict=True):
                merged[name] = _entry([own[one] for one in group], file)
        logging.info("%s: %d shards were small, merged into %d.", split, len(own), len(groups))
    return merged


def _groups(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Returns begin and end of each group of neighbors, of about equal bytes."""
    total = sum(sizes)
    if len(sizes) <= ENOUGH_PARTITIONS or total >= _SMALL_BYTES * len(sizes):
        return [(index, index + 1) for index in range(len(sizes))]
    count = max(ENOUGH_PARTITIONS, total // _WANTED_BYTES)
    # A shard belongs where its middle lies.
    middles = [end - size / 2 for end, size in zip(itertools.accumulate(sizes), sizes, strict=True)]
    places = [int(middle * count // total) for middle in middles]
    begins = [0] + [index for index in range(1, len(sizes)) if places[index] != places[index - 1]]
    return list(zip(begins, [*begins[1:], len(sizes)], strict=True))


def _concatenate(
    folder: str, entries: Mapping[str, Mapping[str, Any]], name: str, parts: Sequence[str]
) -> HashedFile:
    """Writes a shard from its parts, removes them, and returns it."""
    compress = name.endswith(tfrecord.GZIP_SUFFIX)
    with HashedFile(storage.join(folder, name), compress) as file:
        for part in parts:
            path = storage.join(folder, part)
            try:
                found = _append(file, path, compress)
            except zlib.error as error:
                found = f"what is no gzip file ({error})"
            if found != entries[part]["sha256"]:
                raise RetryError(
                    f"{path!r} is not what was written a moment ago: expected the sha256 "
                    f"{entries[part]['sha256']}, read {found}. Check the disk, and run the job "
                    "again."
                )
    for part in parts:
        storage.remove_file(storage.join(folder, part))
    return file


def _append(file: HashedFile, path: str, decompress: bool) -> str:
    """Appends the content of a file to another, and returns the sha256 of the file as it is."""
    digest = hashlib.sha256()
    decompressor = zlib.decompressobj(zlib.MAX_WBITS | 16) if decompress else None
    for chunk in storage.chunks(path):
        digest.update(chunk)
        file.write(chunk if decompressor is None else decompressor.decompress(chunk))
    return digest.hexdigest()


def _entry(parts: Sequence[Mapping[str, Any]], file: HashedFile) -> dict[str, Any]:
    return {
        "split": parts[0]["split"],
        "sha256": file.sha256,
        "records": sum(one["records"] for one in parts),
        "bytes": file.bytes,
        "first_time": min(one["first_time"] for one in parts),
        "last_time": max(one["last_time"] for one in parts),
    }
