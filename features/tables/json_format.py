"""JSON lines, one object a line, plain or compressed, read by ranges of bytes."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from features.errors import UserInputError
from features.tables.options import TableOptions
from features.tables.places import BATCH_ROWS, Content, Place
from features.tables.text import json_columns, json_records
from features.tables.text.blocks import Cutting, blocks, place_blocks
from features.tables.text.files import TextFile

_HEAD_BYTES = 1 << 16


def inspect(path: str) -> Content:
    """Returns what a file holds, in one pass over it.

    Raises:
      UserInputError: it is not readable, or not one object a line.
    """
    try:
        with TextFile(path) as file:
            if file.head(_HEAD_BYTES).lstrip().startswith(b"["):
                raise pa.ArrowInvalid("it is one document, a list")
            cutting = Cutting(one_place=file.compressed)
            for block in blocks(file.chunks(), json_records.RECORDS):
                cutting.add(block)
            schema = json_records.schema(path, cutting.samples)
            return Content("json", schema, cutting.places(), file.fingerprint())
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} is not readable as JSON lines: {error}. Expected one object a line, as "
            "pandas' to_json(orient='records', lines=True) writes them. Write it again, or move "
            "it out of the folder."
        ) from error


def read(
    path: str,
    place: Place,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    options: TableOptions,
) -> Iterator[pa.RecordBatch]:
    """Reads columns of a place; a name that an object lacks is null.

    Raises:
      pa.ArrowException, OSError: the place is not readable; the message names the line.
    """
    rows = 0
    wanted = {name: types[name] for name in names}
    texts = frozenset(name for name in names if options.is_text(name))
    with TextFile(path) as file:
        for block in place_blocks(file, place, json_records.RECORDS):
            table = json_columns.columns(path, block, wanted, texts).select(list(names))
            rows += table.num_rows
            yield from table.combine_chunks().to_batches(BATCH_ROWS)
    if rows != place.rows:
        raise pa.ArrowInvalid(
            f"{rows} rows from byte {place.start}, {place.rows} when opened: the file changed"
        )
