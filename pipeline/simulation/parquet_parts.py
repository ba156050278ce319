"""A table streamed into numbered Parquet files, and their hashes."""

import contextlib
import os

import pyarrow as pa

from features.files import checked, parquet, staging


class ParquetParts(contextlib.ExitStack):
    """Writes `part-00000.parquet` and so on into a folder; a context manager.

    A file ends with the batch that fills it, so a batch is never cut. An empty table is one
    file without rows.

    Args:
      folder: created; must not exist.
      schema: of the table.
      rows_per_file: a file that has so many rows is closed.

    Attributes:
      rows: the rows written so far.
    """

    def __init__(self, folder: str, schema: pa.Schema, rows_per_file: int):
        super().__init__()
        os.makedirs(folder)
        self._folder = folder
        self._schema = schema
        self._rows_per_file = rows_per_file
        self._files = self.rows = 0
        self._open()

    def write(self, table: pa.Table) -> None:
        """Appends rows, with the columns of the schema in its order."""
        if not len(table):
            return
        if self._room <= 0:
            self.close()
            self._open()
        self._writer.write_table(table)
        self._room -= len(table)
        self.rows += len(table)

    def _open(self) -> None:
        path = os.path.join(self._folder, f"part-{self._files:05d}.parquet")
        self._writer = self.enter_context(parquet.table_writer(path, self._schema))
        self._files += 1
        self._room = self._rows_per_file


def file_hashes(folder: str) -> dict[str, str]:
    """Returns the sha256 of every file below a staging folder by its relative path, sorted."""
    paths = (
        os.path.join(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name != staging.MARKER
    )
    return {os.path.relpath(path, folder): checked.sha256(path) for path in sorted(paths)}
