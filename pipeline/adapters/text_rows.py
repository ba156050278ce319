"""Reads rows of text files, plain or gzip; a broken row comes with its problem.

The functions `parse_*` take a value and its name, and raise `BadRowError` where it is another kind.

Hand-written because no library quarantines a broken line alone: after a lost quote DuckDB's
`read_csv` rejects all lines to the next quote as one and pyarrow reads them as one value, and
`read_json` gives nulls without line or reason.
"""

import collections
import csv
import gzip
import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple, NoReturn, cast

import pyarrow as pa

from features.errors import UserInputError

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
_MOST_LINES = 16
"""The most lines of a quoted field; with more, its closing quote counts as lost."""


_Line = tuple[int, str, str | None]
"""Number, text and problem."""


class BadRowError(ValueError):
    """A row that cannot be used; the message is the reason that goes to quarantine."""


class TextRow(NamedTuple):
    """A row as it was read.

    Attributes:
      file: path of the file.
      line: number of its first line, from 1.
      text: as it stands in the file.
      values: the fields, or one JSON object; undefined where there is a problem.
      problem: why it could not be read, None if it could.
    """

    file: str
    line: int
    text: str
    values: Any
    problem: str | None = None


class Column(NamedTuple):
    """A column of a table that is parsed from text.

    Attributes:
      name: in the table.
      type: in the table.
      source: name of the value in the file.
      parse: returns a value's column value; takes the value and `source`, raises `BadRowError`.
      lenient: whether a value that `parse` turns into None is counted as emptied.
      order: of two broken values, the reason names the one with the lower order.
    """

    name: str
    type: pa.DataType
    source: str
    parse: Callable[[Any, str], Any]
    lenient: bool = False
    order: int = 0


def csv_rows(path: str, columns: Sequence[str], headerless: bool = False) -> Iterator[TextRow]:
    """Reads a file of comma-separated values.

    Args:
      path: of the file.
      columns: what to return of each row, in this order; `a|b` is one column of either name.
      headerless: whether the file may start with a row, whose first field is a whole number.

    Raises:
      UserInputError: the header lacks a column, or the file cannot be read.
    """
    lines = _lines(path)
    waiting = collections.deque(itertools.islice(lines, 1))
    header = (_split([waiting[0][1]]) or []) if waiting else []
    if headerless and header and _INTEGER.fullmatch(header[0]):
        positions, width = list(range(len(columns))), len(columns)
    else:
        positions, width = _positions(path, header, columns), len(header)
        waiting.clear()
    while line := waiting.popleft() if waiting else next(lines, None):
        number, text, problem = line
        fields: list[str] | None = []
        if problem is None:
            fields = _split([text])
            if fields is None:
                waiting.extend(itertools.islice(lines, _MOST_LINES - len(waiting)))
                fields, text = _split_several(text, waiting, width)
            problem = _width_problem(fields, width)
        values = [] if problem or fields is None else [fields[one] for one in positions]
        yield TextRow(path, number, text, values, problem)


def separated_rows(
    path: str, separator: str, width: int, fall_back: str | None = "latin-1"
) -> Iterator[TextRow]:
    """Reads lines of `width` fields without header or quotes.

    Args:
      path: of the file.
      separator: of fields.
      width: how many fields a line has.
      fall_back: encoding of lines that are not UTF-8; without one they have a problem.

    Raises:
      UserInputError: the file cannot be read.
    """
    for number, text, problem in _lines(path, fall_back):
        fields = text.split(separator)
        yield TextRow(path, number, text, fields, problem or _width_problem(fields, width))


def json_rows(path: str) -> Iterator[TextRow]:
    """Reads a file of one JSON object per line.

    Raises:
      UserInputError: the file cannot be read.
    """
    for number, text, problem in _lines(path):
        values = None
        try:
            values = None if problem else json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            problem = f"is not JSON: {error}"
        if problem is None and not isinstance(values, dict):
            problem = f"is JSON of {type(values).__name__}, expected an object"
        yield TextRow(path, number, text, values, problem)


def parse_int64(value: Any, name: str) -> int:
    """Returns a whole number that fits an int64, from text or JSON."""
    number = int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value
    if type(number) is not int or not -(1 << 63) <= number < 1 << 63:
        raise BadRowError(f"{name} is {value!r}, expected a whole number of 64 bits")
    return number


def parse_number(value: Any, name: str, lowest: float, highest: float) -> float:
    """Returns a number in `[lowest, highest]`, from text or JSON."""
    number = float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value
    if type(number) not in (int, float) or not lowest <= number <= highest:
        raise BadRowError(f"{name} is {value!r}, expected a number from {lowest} to {highest}")
    return number


def parse_rating(value: Any, name: str) -> float:
    """Returns a rating from 0 to 5, see `parse_number`."""
    return parse_number(value, name, 0, 5)


def parse_text(value: Any, name: str) -> str | None:
    """Returns text, None for null and for text that is empty."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRowError(f"{name} is {value!r}, expected text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise BadRowError(f"{name} is {value!r}: half a character ({error.reason})") from error
    return value.strip() or None


def parse_id(value: Any, name: str) -> str:
    """Returns text that is not empty."""
    text = parse_text(value, name)
    if text is None:
        raise BadRowError(f"{name} is {value!r}, expected text that is not empty")
    return text


def _lines(path: str, fall_back: str | None = None) -> Iterator[_Line]:
    """Yields number, text and problem of the lines that are not blank."""
    for number, line in enumerate(_byte_lines(path), start=1):
        problem = None
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            text = line.decode(fall_back or "utf-8", errors="replace")
            problem = None if fall_back else f"is not UTF-8: {error.reason}"
        text = text.removeprefix("\ufeff") if number == 1 else text
        if text.strip():
            yield number, text.rstrip("\r\n"), problem


def _byte_lines(path: str) -> Iterator[bytes]:
    opened: Callable[[str, str], Any] = gzip.open if path.endswith(".gz") else open
    try:
        with cast(BinaryIO, opened(path, "rb")) as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise UserInputError(
            f"{path!r} cannot be read: {error}. Expected a whole file"
            f"{', compressed by gzip' if path.endswith('.gz') else ''}; download it again."
        ) from error


def _width_problem(fields: list[str] | None, width: int) -> str | None:
    if fields is None:
        return "is not comma-separated: is a quote left open?"
    return None if len(fields) == width else f"has {len(fields)} fields, expected {width}"


def _split(lines: list[str]) -> list[str] | None:
    """Returns the fields of one record; None where it is not one."""
    if len(lines) == 1 and '"' not in lines[0]:
        return lines[0].split(",")
    try:
        records = list(csv.reader(lines, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


def _split_several(
    text: str, waiting: collections.deque[_Line], width: int
) -> tuple[list[str] | None, str]:
    """Takes the waiting lines of a record whose quoted field holds line ends, or none."""
    parts = [text]
    for _, more, _ in waiting:
        parts.append(more)
        fields = _split([f"{part}\n" for part in parts])
        if fields is not None and len(fields) == width:
            for _ in parts[1:]:
                waiting.popleft()
            return fields, "\n".join(parts)
    return None, text


def _positions(path: str, header: list[str], columns: Sequence[str]) -> list[int]:
    found = []
    for column in columns:
        name = next((name for name in column.split("|") if name in header), None)
        if name is None:
            raise UserInputError(
                f"{path!r} has no column {' or '.join(column.split('|'))!r}: its first line is "
                f"{','.join(header)!r}, expected the names "
                f"{','.join(name.split('|')[0] for name in columns)}. Give the file as it was "
                "published, or add that line."
            )
        found.append(header.index(name))
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no value of JSON")
