"""Writing Parquet whose pages carry checksums, which `storage.open_parquet` verifies."""

from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq


def write_table(table: pa.Table, to: str | IO[bytes] | pa.NativeFile, **settings: Any) -> None:
    """Writes a table.

    Args:
      table: to write.
      to: path of a local file, or an open one.
      **settings: of `pyarrow.parquet.write_table`.
    """
    pq.write_table(table, to, write_page_checksum=True, **settings)


def table_writer(path: str, schema: pa.Schema) -> pq.ParquetWriter:
    """Returns what writes a local file table by table; use it as a context manager."""
    return pq.ParquetWriter(path, schema, write_page_checksum=True)
