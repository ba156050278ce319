"""Records of CSV parsed to columns, with the line of what cannot be parsed."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
from pyarrow import csv

from features.tables.text import parsing
from features.tables.text.blocks import Block, line_of
from features.tables.text.csv_layout import Layout
from features.tables.text.csv_records import leading_zeros

_BLOCK_BYTES = 2 << 20


def columns(
    path: str, block: Block, layout: Layout, kinds: Mapping[int, pa.DataType]
) -> dict[int, pa.ChunkedArray]:
    """Parses columns of some records.

    Args:
      path: of the file, for messages.
      block: the records.
      layout: of the file.
      kinds: type by position of the column.

    Raises:
      pa.ArrowInvalid: a record has too many or too few values, or a value is not of its type.
    """
    # Arrow reads 00123 as 123.
    careful = any(map(pa.types.is_integer, kinds.values())) and leading_zeros(
        block.data, layout.delimiter
    )
    by_text = {
        field
        for field, kind in kinds.items()
        if not _is_direct(kind) or (careful and pa.types.is_integer(kind))
    }
    wanted = {field: pa.binary() if field in by_text else kind for field, kind in kinds.items()}
    try:
        found = _parse(block.data, layout, wanted)
    except pa.ArrowInvalid:
        # Again, to see which record is at fault; empty quotes are no number and no fault.
        by_text = set(kinds)
        found = texts(path, block, layout, list(kinds))
    result = dict(zip(kinds, found, strict=True))
    for field in by_text:
        text = result[field].combine_chunks()
        try:
            result[field] = pa.chunked_array([parsing.parse(text, kinds[field])])
        except parsing.BadTextError as error:
            line = line_of(path, block, layout.records, error.row)
            advice = ". If the column holds texts, say so with --text_column and its name"
            advice = "" if pa.types.is_string(kinds[field]) else advice
            raise pa.ArrowInvalid(
                f"line {line}, column {layout.names[field]!r}: {error}{advice}"
            ) from error
    return result


def texts(path: str, block: Block, layout: Layout, fields: Sequence[int]) -> list[pa.ChunkedArray]:
    """Returns columns as binary, null where there is no value.

    Raises:
      pa.ArrowInvalid: a record has too many or too few values.
    """
    faults: list[csv.InvalidRow] = []

    def keep(row: csv.InvalidRow) -> str:
        faults.append(row)
        return "error"

    kinds = dict.fromkeys(fields, pa.binary())
    try:
        return _parse(block.data, layout, kinds, whole=True)
    except pa.ArrowInvalid as error:
        # Arrow hands over faults that are UTF-8 only.
        data = block.data.decode(errors="replace").encode()
        with contextlib.suppress(pa.ArrowInvalid):
            _parse(data, layout, kinds, keep, whole=True)
        if not faults:
            raise
        fault = faults[0]
        line = line_of(path, block, layout.records, fault.number - 1)
        raise pa.ArrowInvalid(
            f"line {line} has {fault.actual_columns} values, expected {fault.expected_columns} as "
            f"in the header: {fault.text[:100]!r}"
        ) from error


def inferred(data: bytes, layout: Layout) -> list[pa.DataType]:
    """Returns the types that Arrow infers of all columns."""
    kinds = dict.fromkeys(range(len(layout.names)))
    found = _parse(data, layout, kinds, whole=True, quoted_nulls=True)
    return [column.type for column in found]


def _parse(
    data: bytes,
    layout: Layout,
    kinds: Mapping[int, pa.DataType | None],
    on_fault: Callable[[csv.InvalidRow], str] | None = None,
    whole: bool = False,
    quoted_nulls: bool = False,
) -> list[pa.ChunkedArray]:
    """Parses records; one after the other if `whole`, as only then Arrow counts them."""
    # Names may repeat; numbers do not. Without a column to read, one is read for the rows.
    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(
            column_names=[str(field) for field in range(len(layout.names))],
            use_threads=not whole,
            block_size=max(len(data) + 1, 1) if whole else _BLOCK_BYTES,
        ),
        csv.ParseOptions(
            delimiter=layout.delimiter,
            newlines_in_values=b'"' in data,
            invalid_row_handler=on_fault,
        ),
        csv.ConvertOptions(
            include_columns=[str(field) for field in kinds],
            column_types={str(field): kind for field, kind in kinds.items() if kind is not None},
            null_values=list(layout.null_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=quoted_nulls,
        ),
    )
    return list(table.columns)


def _is_direct(kind: pa.DataType) -> bool:
    """Whether Arrow's reader parses a type as it is to be parsed."""
    if pa.types.is_timestamp(kind):
        return kind.tz is None
    return not pa.types.is_nested(kind)
