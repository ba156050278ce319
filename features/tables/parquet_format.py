"""Parquet files, read by row groups.

Columns are found by their position in the file, because a name may repeat, and may hold a dot as
the path of a nested column does. What is not asked for is not decoded.
"""

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from features.errors import UserInputError
from features.files import stamps, storage
from features.tables.places import BATCH_ROWS, Content, Place, of_groups, positions

MAGIC = b"PAR1"
DIGEST = "footer_sha256"
"""Of a fingerprint: that of other formats is over the whole file, and called `sha256`."""


def inspect(path: str) -> Content:
    """Returns what a file holds, from its footer.

    Raises:
      UserInputError: it is not readable Parquet.
    """
    try:
        with storage.open_parquet(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
            rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        found = fingerprint(path)
    except (pa.ArrowException, OSError) as error:
        raise UserInputError(
            f"{path!r} is not a readable Parquet file: {error}. Write it again, or move it out "
            "of the folder."
        ) from error
    return Content("parquet", schema, of_groups(rows), found)


def read(
    path: str, place: Place, names: Sequence[str], batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Reads columns of a row group, in batches of at most `batch_rows`.

    Raises:
      pa.ArrowException, OSError: the row group is not readable.
    """
    with storage.open_parquet(path, streamed=True) as file:
        fields = positions(file.schema_arrow.names, names)
        leaves = _leaves(file.schema_arrow)
        wanted = [leaf for field in sorted(set(fields)) for leaf in leaves[field]]
        # Columns come in the file's order.
        order = {field: position for position, field in enumerate(sorted(set(fields)))}
        for batch in file.reader.iter_batches(
            batch_rows, row_groups=[place.start], column_indices=wanted
        ):
            yield batch.select([order[field] for field in fields])


def fingerprint(path: str) -> dict[str, object]:
    """Returns size and sha256 of the footer, which holds every column's statistics."""
    with storage.open_input(path) as file:
        size = file.size()
        file.seek(size - 8)
        length = struct.unpack("<I", file.read(4))[0]
        file.seek(size - 8 - length)
        footer = file.read(length)
    return {"bytes": size, DIGEST: hashlib.sha256(footer).hexdigest()}


def check_footer(path: str, before: Mapping[str, object]) -> None:
    """Checks that a file has the footer that it had when it was opened.

    Args:
      path: of the file.
      before: its fingerprint.

    Raises:
      UserInputError: it has another one.
    """
    try:
        now = fingerprint(path)[DIGEST]
    except (pa.ArrowException, OSError, struct.error) as error:
        raise stamps.changed(path, f"its footer cannot be read any more ({error})") from error
    if now != before[DIGEST]:
        raise stamps.changed(path, f"its footer had sha256 {before[DIGEST]}, now {now}")


def _leaves(schema: pa.Schema) -> list[range]:
    """Returns for each field which columns of the file hold it: a nested field has several."""
    ranges, first = [], 0
    for field in schema:
        count = _leaf_count(field.type)
        ranges.append(range(first, first + count))
        first += count
    return ranges


def _leaf_count(kind: pa.DataType) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _leaf_count(kind.storage_type)
    children = [kind.field(number).type for number in range(kind.num_fields)]
    return sum(map(_leaf_count, children)) if children else 1
