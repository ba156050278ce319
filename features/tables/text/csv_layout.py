"""The header of CSV, and how its records are written."""

import csv
import dataclasses
import functools
import io

import pyarrow as pa

from features.tables.options import TableOptions
from features.tables.text.blocks import Records
from features.tables.text.csv_records import record_ends
from features.tables.text.files import TextFile

_HEADER_BYTES = (1 << 16, 64 << 20)


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a file is written.

    Attributes:
      names: of its columns.
      header_size: where the first record begins.
      delimiter: between values.
      null_values: texts that are no value, unless quoted.
    """

    names: tuple[str, ...]
    header_size: int
    delimiter: str
    null_values: tuple[str, ...]

    @property
    def records(self) -> Records:
        """How the text is cut."""
        return _records(self.delimiter)


def read_layout(file: TextFile, delimiter: str, options: TableOptions) -> Layout:
    """Reads the header; a file without one has no columns.

    Raises:
      pa.ArrowInvalid: the first line is no header.
    """
    records = _records(delimiter)
    for size in _HEADER_BYTES:
        head = file.head(size)
        if len(head) < size:
            head += b"\n"
        ends = records.ends(head)
        starts = records.starts(head, ends)
        if len(starts):
            end = int(ends[ends > starts[0]][0])
            names = _names(head[int(starts[0]) : end], delimiter)
            return Layout(names, end, delimiter, options.null_values)
    return Layout((), 0, delimiter, options.null_values)


def _records(delimiter: str) -> Records:
    return Records(functools.partial(record_ends, delimiter=delimiter))


def _names(header: bytes, delimiter: str) -> tuple[str, ...]:
    try:
        text = header.decode()
        names = tuple(next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise pa.ArrowInvalid(f"the header {header[:100]!r} cannot be parsed ({error})") from error
    if len(names) == 1 and (other := next((one for one in ",;\t|" if one in names[0]), None)):
        raise pa.ArrowInvalid(
            f"the header {names[0]!r} is one name, unless {other!r} separates names"
        )
    if all(_is_number(name) for name in names):
        raise pa.ArrowInvalid(f"the first line is {text.strip()!r}, values and no header")
    return names


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
