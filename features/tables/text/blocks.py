"""A text as blocks of complete records: bounded memory, whatever the file's size."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from features.arrays import Integers
from features.tables.places import Place
from features.tables.text.files import TextFile, line_number

# A place is closed by the block that fills it so far.
_PLACE_BYTES = 12 << 20
_LONGEST_RECORD = 64 << 20
# Of the types' sample: from the file's beginning, and from every later block.
_FIRST_SAMPLE = 1 << 20
_LATER_SAMPLE = 1 << 16
_MOST_SAMPLED = 4 << 20


@dataclasses.dataclass(frozen=True)
class Records:
    """How a text is cut to records.

    Attributes:
      ends: takes bytes that begin with a record, returns the positions behind those that end there.
      spaces: whether a line of spaces is blank, as an empty one is.
    """

    ends: Callable[[bytes], Integers]
    spaces: bool = False

    def starts(self, data: bytes, ends: Integers) -> Integers:
        """Returns where the records begin that are not blank."""
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        first = np.frombuffer(data, np.uint8)[np.minimum(starts, len(data) - 1)]
        kept = (first != ord("\n")) & (first != ord("\r")) & (starts < len(data))
        if self.spaces:
            for record in np.flatnonzero(kept & ((first == ord(" ")) | (first == ord("\t")))):
                kept[record] = not data[starts[record] : ends[record]].isspace()
        found: Integers = starts[kept]
        return found


@dataclasses.dataclass(frozen=True)
class Block:
    """Complete records.

    Attributes:
      data: of the records.
      offset: of the first one in the text.
      rows: how many records are not blank.
      sample: some of the first ones, complete.
    """

    data: bytes
    offset: int
    rows: int
    sample: bytes


def blocks(chunks: Iterator[bytes], records: Records, start: int = 0) -> Iterator[Block]:
    """Cuts a text at ends of records.

    Args:
      chunks: of the text, from its beginning.
      records: how it is cut.
      start: offset of the first record.

    Raises:
      pa.ArrowInvalid: a record is longer than 64 MiB, or does not end.
    """
    rest, offset, before = b"", start, start
    for chunk in chunks:
        data = rest + chunk[before:]
        before = max(before - len(chunk), 0)
        ends = records.ends(data)
        if len(ends):
            cut = int(ends[-1])
            yield _block(data[:cut], offset, records, ends, start)
            data, offset = data[cut:], offset + cut
        if len(data) > _LONGEST_RECORD:
            raise pa.ArrowInvalid(
                f"the record at byte {offset} is longer than {_LONGEST_RECORD} bytes"
            )
        rest = data
    if rest:
        ends = records.ends(rest + b"\n")
        if not len(ends):
            raise pa.ArrowInvalid(
                f"the record at byte {offset} does not end: a quote is not closed"
            )
        yield _block(rest, offset, records, np.minimum(ends, len(rest)), start)


def _block(data: bytes, offset: int, records: Records, ends: Integers, start: int) -> Block:
    wanted = _FIRST_SAMPLE if offset == start else _LATER_SAMPLE
    until = int(ends[min(int(np.searchsorted(ends, wanted)), len(ends) - 1)])
    return Block(data, offset, len(records.starts(data, ends)), data[:until])


class Cutting:
    """Gathers the places of a text, block by block, and samples of its records.

    Args:
      one_place: whether the whole text is one place.

    Attributes:
      samples: some records of each of the first blocks; `rows` is not theirs.
    """

    def __init__(self, one_place: bool):
        self._most = np.inf if one_place else _PLACE_BYTES
        self._places: list[Place] = []
        self._start: int | None = None
        self._end = 0
        self._rows = 0
        self._sampled = 0
        self.samples: list[Block] = []

    def add(self, block: Block) -> None:
        """Adds the next block."""
        self._start = block.offset if self._start is None else self._start
        self._end = block.offset + len(block.data)
        self._rows += block.rows
        if block.rows and self._sampled < _MOST_SAMPLED:
            self._sampled += len(block.sample)
            self.samples.append(dataclasses.replace(block, data=block.sample))
        if self._end - self._start >= self._most:
            self._close()

    def places(self) -> tuple[Place, ...]:
        """Returns the places, after the last block."""
        self._close()
        return tuple(self._places)

    def _close(self) -> None:
        if self._start is not None and self._rows:
            last = self._places[-1] if self._places else None
            first_row = last.first_row + last.rows if last else 0
            size = self._end - self._start
            number = len(self._places)
            self._places.append(Place(number, self._start, size, first_row, self._rows))
        self._start, self._rows = None, 0


def place_blocks(file: TextFile, place: Place, records: Records) -> Iterator[Block]:
    """Yields the records of a place: at once, or block by block of a compressed file."""
    if not file.compressed:
        yield Block(file.part(place.start, place.size), place.start, place.rows, b"")
        return
    yield from blocks(file.chunks(), records, place.start)


def line_of(path: str, block: Block, records: Records, row: int) -> int:
    """Returns the line that a record of a block begins in, counted from 1."""
    ends = np.append(records.ends(block.data), len(block.data))
    start = int(records.starts(block.data, ends)[row])
    return line_number(path, block.offset) + block.data.count(b"\n", 0, start)
