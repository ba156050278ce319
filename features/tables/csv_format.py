"""CSV with a header, plain or compressed, read by ranges of bytes."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from features.errors import UserInputError
from features.tables.options import TableOptions
from features.tables.places import BATCH_ROWS, Content, Place, positions
from features.tables.text import csv_columns, parsing
from features.tables.text.blocks import Block, Cutting, blocks, place_blocks
from features.tables.text.csv_layout import Layout, read_layout
from features.tables.text.files import TextFile


def inspect(path: str, delimiter: str, options: TableOptions) -> Content:
    """Returns what a file holds, in one pass over it.

    Raises:
      UserInputError: it is not readable CSV with a header.
    """
    try:
        with TextFile(path) as file:
            layout = read_layout(file, delimiter, options)
            cutting = Cutting(one_place=file.compressed)
            for block in blocks(file.chunks(), layout.records, layout.header_size):
                cutting.add(block)
            schema = _schema(path, cutting.samples, layout)
            return Content("csv", schema, cutting.places(), file.fingerprint())
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} is not readable CSV: {error}. Expected a header, then records of as many "
            f"values, between them {delimiter!r} (--delimiter). Write it again, or move it out "
            "of the folder."
        ) from error


def read(
    path: str,
    delimiter: str,
    place: Place,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    options: TableOptions,
) -> Iterator[pa.RecordBatch]:
    """Reads columns of a place.

    Raises:
      pa.ArrowException, OSError: the place is not readable; the message names the line.
    """
    rows = 0
    with TextFile(path) as file:
        layout = read_layout(file, delimiter, options)
        fields = positions(layout.names, names)
        # Without a column to read, one is read for its rows.
        kinds = {field: types[layout.names[field]] for field in fields} or {0: pa.binary()}
        for block in place_blocks(file, place, layout.records):
            found = csv_columns.columns(path, block, layout, kinds)
            table = pa.table(list(found.values()), [str(field) for field in found])
            rows += table.num_rows
            table = table.select([str(field) for field in fields]).rename_columns(list(names))
            yield from table.combine_chunks().to_batches(BATCH_ROWS)
    if rows != place.rows:
        raise pa.ArrowInvalid(
            f"{rows} rows from byte {place.start}, {place.rows} when opened: the file changed"
        )


def _schema(path: str, samples: Sequence[Block], layout: Layout) -> pa.Schema:
    """Infers the types from some records."""
    if not samples:
        return pa.schema([(name, pa.null()) for name in layout.names])
    fields = range(len(layout.names))
    parts = [csv_columns.texts(path, sample, layout, fields) for sample in samples]
    texts = [
        pa.chunked_array([c for column in columns for c in column.chunks], pa.binary())
        for columns in zip(*parts, strict=True)
    ]
    inferred = csv_columns.inferred(b"".join(sample.data for sample in samples), layout)
    kinds = map(parsing.refined, inferred, texts)
    return pa.schema(list(zip(layout.names, kinds, strict=True)))
