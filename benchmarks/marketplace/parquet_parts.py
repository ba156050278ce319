"""A table streamed into numbered Parquet files."""

import os
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq

from features.files import manifest


class ParquetParts:
    """Writes `part-00000.parquet` and so on into a folder; a context manager.

    A file ends with the batch that fills it, so a batch is never cut. An empty table is one
    file without rows.

    Args:
      folder: created; must not exist.
      schema: of the table.
      rows_a_file: a file that has so many is closed.

    Attributes:
      rows: the rows written so far.
      sha256: of the closed files by name.
    """

    def __init__(self, folder: str, schema: pa.Schema, rows_a_file: int):
        os.makedirs(folder)
        self._folder = folder
        self._schema = schema
        self._rows_a_file = rows_a_file
        self._writer: pq.ParquetWriter | None = None
        self._room = 0
        self.rows = 0
        self.sha256: dict[str, str] = {}

    def __enter__(self) -> "ParquetParts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and not self.sha256 and self._writer is None:
            self._open()
        self._close()

    def write(self, table: pa.Table) -> None:
        """Appends rows.

        Args:
          table: columns of the schema, in its order.
        """
        if not len(table):
            return
        (self._writer or self._open()).write_table(table)
        self._room -= len(table)
        self.rows += len(table)
        if self._room <= 0:
            self._close()

    def _open(self) -> pq.ParquetWriter:
        self._path = os.path.join(self._folder, f"part-{len(self.sha256):05d}.parquet")
        self._writer = pq.ParquetWriter(self._path, self._schema)
        self._room = self._rows_a_file
        return self._writer

    def _close(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        self.sha256[os.path.basename(self._path)] = manifest.file_sha256(self._path)
