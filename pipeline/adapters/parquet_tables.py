"""Writes tables and embedding sets from Parquet sources, in batches of a bounded size."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa

from features.files import checked, manifest
from pipeline.adapters import parquet_rows
from pipeline.adapters.converter import Tables
from pipeline.adapters.table import Table

Checks = Mapping[str, str]
"""Condition of a bad row as DuckDB's SQL, by reason."""


def write_table(
    tables: Tables,
    name: str,
    schema: pa.Schema,
    files: Iterable[tuple[str, str]],
    columns: Mapping[str, pa.DataType],
    checks: Checks,
    convert: Callable[[pa.RecordBatch, str], list[pa.Array]],
    rows_per_group: int = 1 << 17,
) -> Table:
    """Writes a table.

    Args:
      tables: of the output.
      name: of the table.
      schema: of the table.
      files: split and path of each source.
      columns: to read of the sources, with their types.
      checks: a row is quarantined with the first reason whose condition holds.
      convert: returns the table's columns, `[M]`, from good rows, `[N]`, and their split.
      rows_per_group: of the table.
    """
    table = tables.open(name, schema, rows_per_group)
    batch_rows = min(tables.chunk_rows, rows_per_group)
    for split, path in files:

        def output(good: pa.RecordBatch, split: str = split) -> list[pa.Array]:
            return convert(good, split)

        for origin, batch in parquet_rows.read_batches(path, columns, batch_rows):
            table.take_batch(batch, origin, parquet_rows.first_reasons(batch, checks), output)
    return tables.close(name)


def write_embedding_set(
    tables: Tables,
    name: str,
    paths: Sequence[str],
    item: str,
    vector: tuple[str, pa.DataType],
    width: int,
    version: Mapping[str, str],
) -> None:
    """Writes an embedding set with its manifest.

    Args:
      tables: of the output.
      name: of the table.
      paths: of the sources.
      item: name of the sources' column of ids.
      vector: name of the sources' column of vectors, and the type of a number.
      width: of a vector; others are quarantined.
      version: `encoder` and `version`, for the manifest.
    """
    column, number = vector
    schema = pa.schema({"item_id": pa.int64(), "embedding": pa.list_(number, width)})
    table = write_table(
        tables,
        name,
        schema,
        [("", path) for path in paths],
        {item: pa.int64(), column: pa.list_(number)},
        {
            **null(item),
            **null(column),
            f"{column} does not have {width} values": f'len("{column}") <> {width}',
            **null_element(column),
        },
        lambda good, split: [good[item], good[column].cast(schema.field("embedding").type)],
        rows_per_group=max(1, min(1 << 17, (1 << 25) // max(1, width))),
    )
    values = {
        **version,
        "dimension": width,
        "count": table.written,
        "sha256": {os.path.basename(path): checked.sha256(path) for path in table.paths},
    }
    manifest.write_manifest(os.path.dirname(table.paths[0]), values)


def null(name: str) -> Checks:
    """Returns the check that a column is not null."""
    return {f"{name} is null": f'"{name}" IS NULL'}


def null_element(name: str) -> Checks:
    """Returns the check that no element of a list is null."""
    return {f"{name} holds a null": f'list_count("{name}") < len("{name}")'}
