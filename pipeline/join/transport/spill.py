"""Blocks of bytes between two steps of a join, spilled to files where the runner has one process.

A cluster's shuffle holds blocks on its workers' disks. A runner inside one process would hold all
of them in memory: there they wait in files of the work folder, and the runner shuffles their
places.
"""

import contextlib
import uuid

from features.files import storage

SpilledBlock = bytes | tuple[str, int, int]
"""The bytes themselves, or path, offset and length."""


class BlockWriter(contextlib.ExitStack):
    """Stores blocks; they may be read after the context manager has ended.

    Args:
      folder: for the file, which exists; None to leave the blocks to the runner.
    """

    def __init__(self, folder: str | None):
        super().__init__()
        self._file = None
        self._offset = 0
        if folder is not None:
            self._path = storage.join(folder, f"blocks-{uuid.uuid4().hex}.bin")
            self._file = self.enter_context(storage.OutputFile(self._path, durable=False))

    def put(self, data: bytes) -> SpilledBlock:
        """Stores a block."""
        if self._file is None:
            return data
        self._file.write(data)
        self._offset += len(data)
        return self._path, self._offset - len(data), len(data)


def read(block: SpilledBlock) -> bytes:
    """Returns a block's bytes."""
    if isinstance(block, bytes):
        return block
    path, offset, length = block
    with storage.open_input(path) as file:
        file.seek(offset)
        return file.read(length)
