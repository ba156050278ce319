"""The text of a file, plain or decompressed, and its fingerprint, in one pass."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import pyarrow as pa

from features.files import storage
from features.files.file_system import resolved

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_CODECS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    # A block follows the size of blocks, or the end.
    **{b"BZh%d" % size + b"1AY&SY": "bz2" for size in range(1, 10)},
    **{b"BZh%d" % size + b"\x17\x72\x45\x38\x50\x90": "bz2" for size in range(1, 10)},
    b"\x04\x22\x4d\x18": "lz4",
}
_CHUNK_BYTES = 8 << 20


def codec_of(head: bytes) -> str | None:
    """Returns the compression of a file that begins with these bytes, None for plain text.

    >>> codec_of(b"user_id,item_id"), codec_of(bytes.fromhex("1f8b08"))
    (None, 'gzip')
    """
    return next((codec for magic, codec in _CODECS.items() if head.startswith(magic)), None)


class TextFile:
    """The text of a file, decompressed; use it as a context manager.

    Args:
      path: of the file.

    Attributes:
      compressed: whether the file can only be read from its beginning.
    """

    def __init__(self, path: str):
        self._path = path
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._raw: pa.NativeFile
        self.compressed = False

    def __enter__(self) -> "TextFile":
        self._raw = storage.open_input(self._path)
        head = self._raw.read(10)
        self._codec = codec_of(head)
        self.compressed = self._codec is not None
        self._mark = len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0
        return self

    def __exit__(self, *error: object) -> None:
        self._raw.close()

    def chunks(self) -> Iterator[bytes]:
        """Yields the text from its beginning, without a byte order mark."""
        self._digest, self._bytes = hashlib.sha256(), 0
        self._raw.seek(0)
        mark = BYTE_ORDER_MARK
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(pa.PythonFile(_Reader(self._read), mode="r"))
            if self._codec is not None:
                stream = stack.enter_context(pa.CompressedInputStream(stream, self._codec))
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk.removeprefix(mark)
                mark = b""

    def head(self, size: int) -> bytes:
        """Returns at most this much of the text's beginning."""
        if not self.compressed:
            return self.part(0, size)
        head = b""
        for chunk in self.chunks():
            head += chunk
            if len(head) >= size:
                break
        return head[:size]

    def part(self, start: int, size: int) -> bytes:
        """Returns a part of a file that is not compressed."""
        with resolved(self._path):
            self._raw.seek(self._mark + start)
            return bytes(self._raw.read(size))

    def fingerprint(self) -> dict[str, object]:
        """Returns size and sha256 of the file, after all chunks were read."""
        while self._read(_CHUNK_BYTES):
            pass
        return {"bytes": self._bytes, "sha256": self._digest.hexdigest()}

    def _read(self, size: int) -> bytes:
        with resolved(self._path):
            data = bytes(self._raw.read(size))
        self._digest.update(data)
        self._bytes += len(data)
        return data


class _Reader:
    """What Arrow takes for a file to read on."""

    closed = False

    def __init__(self, read: Callable[[int], bytes]):
        self.read = read

    def close(self) -> None:
        """Leaves the file to its owner."""


def line_number(path: str, offset: int) -> int:
    """Returns the number of the line at a position of the text, counted from 1."""
    line, position = 1, 0
    with TextFile(path) as file:
        for chunk in file.chunks():
            line += chunk.count(b"\n", 0, max(offset - position, 0))
            position += len(chunk)
            if position >= offset:
                break
    return line
