"""Arrays in NumPy's own format, read by rows without unpickling anything."""

import tokenize
from typing import Any

import numpy as np
import pyarrow as pa

from features.arrays import Array, DType
from features.files import storage
from features.files.file_system import resolved

_READERS: dict[tuple[int, int], Any] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NpyArray:
    """An array in a file; use it as a context manager.

    Args:
      path: of the file.

    Attributes:
      shape: of the array.
      dtype: of its values.
    """

    def __init__(self, path: str):
        self._path = path
        self.shape: tuple[int, ...]
        self.dtype: DType

    def __enter__(self) -> "NpyArray":
        self._file = storage.open_input(self._path)
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _read_header(self) -> None:
        try:
            version = np.lib.format.read_magic(self._file)  # type: ignore[no-untyped-call]
            self.shape, columns_first, self.dtype = _READERS[version](self._file)
        except (ValueError, KeyError, TypeError, SyntaxError, tokenize.TokenError) as error:
            raise pa.ArrowInvalid(f"{self._path!r} is no array of NumPy: {error}") from error
        self._offset = self._file.tell()
        if self.dtype.hasobject:
            raise pa.ArrowInvalid(f"{self._path!r} holds Python objects, which are not read")
        if columns_first:
            raise pa.ArrowInvalid(
                f"{self._path!r} has its columns first (Fortran order), expected rows first "
                "(np.save(path, np.ascontiguousarray(array)))"
            )
        expected = self._offset + int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        if self._file.size() != expected:
            raise pa.ArrowInvalid(
                f"{self._path!r} has {self._file.size()} bytes, expected {expected} for "
                f"{self.dtype} of shape {list(self.shape)}"
            )

    def rows(self, start: int, count: int) -> Array:
        """Returns some rows, in the machine's byte order."""
        width = int(np.prod(self.shape[1:], dtype=np.int64))
        size = width * self.dtype.itemsize
        with resolved(self._path):
            self._file.seek(self._offset + start * size)
            data = self._file.read(count * size)
        values = np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])
        return values.astype(self.dtype.newbyteorder("="), copy=False)
