"""Files that appear whole under their name, hashed on the way.

A retried or duplicated bundle writes the same bytes and replaces the first file as a whole, so a
shard never mixes two bundles.
"""

import hashlib
import json
import math
import zlib
from types import TracebackType
from typing import Any

from features.files import storage

_BUFFER_BYTES = 4 << 20
_GZIP_LEVEL = 1


class HashedFile:
    """A file to write once, local or remote, see `storage`.

    Use it as a context manager: it appears under its name when the block ends without an
    exception. It is flushed to disk with the folder that it is published in.

    Args:
      path: of the file, in a folder that exists.
      compress: whether the file becomes a gzip member of what is written. It has neither a name
        nor a time, so that equal content has equal bytes.

    Attributes:
      bytes: of the file, when the block has ended.
    """

    def __init__(self, path: str, compress: bool = False):
        self._file = storage.OutputFile(path, durable=False)
        self._digest = hashlib.sha256()
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._compressor = (
            zlib.compressobj(_GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16) if compress else None
        )
        self.bytes = 0

    def __enter__(self) -> "HashedFile":
        self._file.__enter__()
        return self

    def write(self, data: bytes) -> None:
        """Appends bytes."""
        self._buffered += len(data)
        self._buffer.append(data)
        if self._buffered >= _BUFFER_BYTES:
            self._flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
            if self._compressor is not None:
                self._put(self._compressor.flush())
        self._file.__exit__(kind, error, traceback)

    @property
    def sha256(self) -> str:
        """Of the file, when the block has ended, hexadecimal."""
        return self._digest.hexdigest()

    def _flush(self) -> None:
        data = b"".join(self._buffer)
        self._buffer, self._buffered = [], 0
        self._put(data if self._compressor is None else self._compressor.compress(data))

    def _put(self, data: bytes) -> None:
        self.bytes += len(data)
        self._digest.update(data)
        self._file.write(data)


def shard_name(content: str, partition: int, partitions: int, extension: str = "tfrecord") -> str:
    """Returns the name of a partition's file.

    >>> shard_name("train", 3, 16)
    'train-00003-of-00016.tfrecord'
    """
    return f"{content}-{partition:05d}-of-{partitions:05d}.{extension}"


def json_line(value: dict[str, Any]) -> bytes:
    """Returns one line of JSON; values that JSON lacks, such as NaN, become text."""

    def plain(part: Any) -> Any:
        if isinstance(part, dict):
            return {str(key): plain(element) for key, element in part.items()}
        if isinstance(part, list):
            return [plain(element) for element in part]
        if isinstance(part, float) and not math.isfinite(part):
            return str(part)
        return part if isinstance(part, (str, int, float, bool, type(None))) else str(part)

    return json.dumps(plain(value), ensure_ascii=False).encode() + b"\n"
