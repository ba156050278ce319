"""Records of JSON lines, one object a line, by Python's own parser: for samples and for faults."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from features.arrays import Integers
from features.tables.text.blocks import Block, Records, line_of


class Members(list[tuple[str, Any]]):
    """The names and values of an object, as they are written: a name may repeat."""


class Number(str):
    """A number as it is written."""


def record_ends(data: bytes) -> Integers:
    r"""Returns the positions behind the lines that end in some bytes.

    >>> record_ends(b'{"a": 1}\n{"a"')
    array([9])
    """
    found: Integers = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    return found


RECORDS = Records(record_ends, spaces=True)


def objects(path: str, block: Block) -> Iterator[Members]:
    """Yields the objects of a block.

    Raises:
      pa.ArrowInvalid: a line is not one object; the message names it.
    """
    ends = np.append(record_ends(block.data), len(block.data))
    starts = RECORDS.starts(block.data, ends)
    lasts = ends[np.searchsorted(ends, starts, "right")]
    for row, (start, last) in enumerate(zip(starts.tolist(), lasts.tolist(), strict=True)):
        line = block.data[start:last].decode("utf-8", "surrogateescape").strip()
        try:
            value = _DECODER.decode(line)
            problem = "" if isinstance(value, Members) else "it is no object"
        except (ValueError, RecursionError) as error:
            problem = str(error)
        if problem:
            number = line_of(path, block, RECORDS, row)
            raise pa.ArrowInvalid(f"line {number} is not one object: {problem}: {line[:100]!r}")
        yield value


def schema(path: str, samples: list[Block]) -> pa.Schema:
    """Returns the names and types in some records; a name that repeats in an object is twice.

    Raises:
      pa.ArrowInvalid: a line is not one object, which the message names, or a name is not UTF-8.
    """
    found = [one for sample in samples for one in objects(path, sample)]
    try:
        return pa.schema(_fields(found))
    except UnicodeEncodeError as error:
        raise pa.ArrowInvalid(f"the name {error.object!r} is not UTF-8") from error


def _fields(found: list[Members]) -> list[pa.Field]:
    values: dict[tuple[str, int], list[Any]] = {}
    for members in found:
        names: set[str] = set()
        for name, value in members:
            key = (name, int(name in names))
            names.add(name)
            values.setdefault(key, []).append(value)
    return [pa.field(name, _type(several)) for (name, _), several in values.items()]


def _type(values: list[Any]) -> pa.DataType:
    """Returns the type of values; a text among other values makes a text."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.null()
    if kinds == {bool}:
        return pa.bool_()
    if kinds <= {Number, bool}:
        return _number_type([value for value in values if isinstance(value, Number)])
    if kinds == {list}:
        return pa.list_(_type([item for value in values if value is not None for item in value]))
    if kinds == {Members}:
        return pa.struct(_fields([value for value in values if value is not None]))
    if kinds <= {str, Number, bool}:
        return pa.string()
    return pa.dense_union([pa.field(kind.__name__, pa.null()) for kind in kinds])


def _number_type(numbers: list[Number]) -> pa.DataType:
    if not all(number.lstrip("-").isdigit() for number in numbers):
        return pa.float64()
    values = [int(number) for number in numbers]
    return pa.uint64() if max(values) >= 1 << 63 and min(values) >= 0 else pa.int64()


_DECODER = json.JSONDecoder(
    object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=Number
)
