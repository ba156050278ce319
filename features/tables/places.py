"""What the pre-flight learns of a file, and the unit of reading within it."""

import dataclasses
from collections.abc import Mapping, Sequence

import pyarrow as pa

from features.files.stamps import Stamp

BATCH_ROWS = 1 << 16
"""Most rows of a batch."""


@dataclasses.dataclass(frozen=True)
class Place:
    """The unit of reading within a file: a row group, a stripe, a range of bytes or rows.

    Attributes:
      number: in the file.
      start: byte offset or row, as the format needs it.
      size: likewise.
      first_row: position in the file of its first row.
      rows: how many it holds.
    """

    number: int
    start: int
    size: int
    first_row: int
    rows: int


def of_groups(rows: Sequence[int]) -> tuple[Place, ...]:
    """Returns the places of row groups or stripes that hold so many rows; empty ones are none."""
    places, first_row = [], 0
    for number, count in enumerate(rows):
        if count:
            places.append(Place(number, number, 1, first_row, count))
        first_row += count
    return tuple(places)


def positions(columns: Sequence[str], names: Sequence[str]) -> list[int]:
    """Returns where the columns of some names are among a file's.

    Raises:
      pa.ArrowInvalid: a name is not there, or more than once.
    """
    found = []
    for name in names:
        count = columns.count(name)
        if count != 1:
            raise pa.ArrowInvalid(f"column {name!r} is there {count} times, expected once")
        found.append(columns.index(name))
    return found


@dataclasses.dataclass(frozen=True)
class Content:
    """What the pre-flight learns of a file.

    Attributes:
      format: `parquet`, `orc`, `csv`, `json` or `npy`.
      schema: the file's own names, which may repeat, and types; as inferred for text.
      places: in order; their rows add up to those of the file.
      fingerprint: `bytes`, and `sha256` or, for Parquet, `footer_sha256`.
      stamps: of the file, and of another one that it is read with, from before they were opened.
    """

    format: str
    schema: pa.Schema
    places: tuple[Place, ...]
    fingerprint: dict[str, object]
    stamps: Mapping[str, Stamp] = dataclasses.field(default_factory=dict)
