"""JSON lines parsed to columns, with the line of what cannot be parsed."""

import contextlib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from pyarrow import json

from features.tables.kinds import is_any_list
from features.tables.text import json_records, parsing
from features.tables.text.blocks import Block, line_of
from features.tables.text.json_records import RECORDS, Members, Number

_BLOCK_BYTES = 2 << 20


def columns(
    path: str, block: Block, types: Mapping[str, pa.DataType], texts: frozenset[str]
) -> pa.Table:
    """Parses columns of some records.

    Args:
      path: of the file, for messages.
      block: the records.
      types: of the columns.
      texts: the columns in which numbers are read as text.

    Raises:
      pa.ArrowInvalid: a line is not one object, or a value is not of its type.
    """
    # Arrow takes no digits below the unit.
    written = {
        name: pa.string() if pa.types.is_timestamp(kind) or pa.types.is_date(kind) else kind
        for name, kind in types.items()
    }
    for integers in (pa.int64(), pa.uint64()):
        own = [(name, integers if kind == pa.int64() else kind) for name, kind in written.items()]
        with contextlib.suppress(
            pa.ArrowInvalid, pa.ArrowNotImplementedError, parsing.BadTextError
        ):
            table = _parse(block.data, pa.schema(own))
            if table.num_rows == block.rows:
                return _converted(table, types)
    # Again, slowly: to see which record is at fault, and for what Arrow does not parse.
    return _slowly(path, block, types, texts)


def _parse(data: bytes, schema: pa.Schema) -> pa.Table:
    table = json.read_json(
        pa.BufferReader(data),
        json.ReadOptions(block_size=_BLOCK_BYTES),
        json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
    )
    # Texts that are no UTF-8 are taken as they are.
    table.validate(full=True)
    return table


def _converted(table: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    for position, (name, kind) in enumerate(types.items()):
        column = table.column(position).combine_chunks()
        if column.type == pa.uint64():
            table = table.set_column(position, name, column.view(kind))
        elif column.type != kind:
            table = table.set_column(position, name, parsing.parse(column.cast(pa.binary()), kind))
    return table


def _slowly(
    path: str, block: Block, types: Mapping[str, pa.DataType], texts: frozenset[str]
) -> pa.Table:
    found: dict[str, list[Any]] = {name: [] for name in types}
    for row, members in enumerate(json_records.objects(path, block)):
        values = dict(members)
        for name, kind in types.items():
            try:
                if sum(member == name for member, _ in members) > 1:
                    raise ValueError("is there twice")
                found[name].append(_value(values.get(name), kind, name in texts))
            except (ValueError, pa.ArrowInvalid) as error:
                line = line_of(path, block, RECORDS, row)
                raise pa.ArrowInvalid(f"line {line}, column {name!r}: {error}") from error
    arrays = [pa.array(found[name], kind) for name, kind in types.items()]
    return pa.Table.from_arrays(arrays, list(types))


def _value(value: Any, kind: pa.DataType, as_text: bool) -> Any:
    """Returns a value as Arrow takes it for a type.

    Raises:
      ValueError, pa.ArrowInvalid: it is of another type.
    """
    if value is None:
        return None
    if is_any_list(kind) and type(value) is list:
        return [_value(item, kind.value_type, as_text) for item in value]
    is_number = isinstance(value, Number) or (isinstance(value, bool) and as_text)
    if pa.types.is_string(kind) and is_number and as_text:
        return str(value).lower() if isinstance(value, bool) else str(value)
    if pa.types.is_string(kind) and isinstance(value, Number):
        raise ValueError(f"{value} is a number, expected a text, or --text_column with its name")
    is_numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if is_numeric and isinstance(value, bool):
        return int(value)
    if pa.types.is_boolean(kind) and isinstance(value, bool):
        return value
    fits = isinstance(value, Number) if is_numeric else type(value) is str
    if not fits or pa.types.is_boolean(kind):
        raise ValueError(f"{_shown(value)} is not {kind}")
    text = pa.array([str(value).encode("utf-8", "surrogateescape")], pa.binary())
    return parsing.parse(text, kind)[0].as_py()


def _shown(value: Any) -> str:
    if isinstance(value, Members):
        return "an object"
    return str(value) if isinstance(value, Number) else repr(value)[:100]
