"""The state that a dated part leaves for the next: its names, and opening it.

    part=2026-05-01/state/state-00000-of-00004.parquet   behaviors of the partition's users
    part=2026-05-01/state/users-00000-of-00004.parquet   their sums, with running statistics
    part=2026-05-01/state/items-00000-of-00001.parquet   items' sums, with running statistics
    part=2026-05-01/state/item_counts.bin                items by day, where negatives are drawn

A part's state also holds what is still needed of earlier parts, so the next part reads the newest
state only.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from features.errors import UserInputError
from features.files import checked, stamps, storage
from features.files.stamps import Stamp
from features.tables import formats
from features.tables.options import DEFAULT
from features.tables.reader import Unit
from pipeline.join.inputs.event_log import ReadUnit
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.options import JoinOptions
from pipeline.publishing.shards import HashedFile

STATE = "state"
SUMS = "sums"
ITEM_COUNTS = "item_counts"
"""Keys of a part's manifest."""

USERS, ITEMS = "users", "items"
"""Whose sums: keys below `SUMS`, beginnings of the files' names, and sources of their units."""

REMEDY = (
    "It is what an earlier part left for this one. Restore that part's folder from a copy, or "
    "remove the folder, and join that part and those after it again."
)
_ITEM_COUNTS = "state/item_counts.bin"


@dataclasses.dataclass(frozen=True)
class PartState:
    """The state that a part left.

    Attributes:
      last: microseconds of its last event; None if there is no earlier part.
      units: its users' events, to read.
      sums: the sums of users and of items, to read; none without running statistics.
      items: its items and those of earlier parts, where negatives are drawn.
      stamps: of its files, from before they were opened.
    """

    last: int | None = None
    units: tuple[ReadUnit, ...] = ()
    sums: tuple[ReadUnit, ...] = ()
    items: ItemCounts | None = None
    stamps: Mapping[str, Stamp] = dataclasses.field(default_factory=dict)

    def unchanged(self) -> contextlib.AbstractContextManager[None]:
        """Returns what checks after a block that the files are those that were opened."""
        return stamps.checked_after(lambda: stamps.check(self.stamps))


def open_state(part: str, values: Mapping[str, Any], options: JoinOptions) -> PartState:
    """Opens a part's state, and compares its files with the part's manifest.

    Args:
      part: the part's folder.
      values: its manifest.
      options: of the join that goes on from it.

    Raises:
      UserInputError: a file is missing, or is not the one that the part left.
    """
    stamped: dict[str, Stamp] = {}
    found = _verified(part, values[STATE], stamped)
    sums: tuple[ReadUnit, ...] = ()
    if options.carries_sums:
        if SUMS not in values:
            raise UserInputError(
                f"--part: {part!r} has not left the sums of users and items that --statistics "
                f"needs. {REMEDY}"
            )
        for owner in (USERS, ITEMS):
            files = _verified(part, values[SUMS].get(owner, {}), stamped)
            sums += tuple(ReadUnit(owner, unit) for unit in _units(files))
    return PartState(
        last=max(one["last_time"] for one in found.values()),
        units=tuple(ReadUnit(STATE, unit) for unit in _units(found)),
        sums=sums,
        items=_read_item_counts(part, values) if options.negatives is not None else None,
        stamps=stamped,
    )


def _verified(part: str, entries: Mapping[str, Any], stamped: dict[str, Stamp]) -> dict[str, Any]:
    """Compares files with their entries, and returns these by path; stamps are added."""
    folder = storage.join(part, STATE)
    files = {storage.join(folder, name): one for name, one in sorted(entries.items())}
    for path, one in files.items():
        with contextlib.suppress(OSError):
            stamped[path] = stamps.stamp(path)
        checked.verify(path, one, REMEDY)
    return files


def unreadable(path: str, error: Exception) -> UserInputError:
    """Returns the error of a state that could not be read."""
    return UserInputError(f"--part: {path!r} cannot be read: {str(error).rstrip('.')}. {REMEDY}")


def _units(paths: Iterable[str]) -> Iterator[Unit]:
    for number, path in enumerate(paths):
        content = formats.inspect(path, DEFAULT)
        for place in content.places:
            yield Unit(path, storage.base_name(path), number, content.format, place, layout=0)


def write_item_counts(items: ItemCounts, output: str) -> None:
    """Writes the items, those of earlier parts among them.

    Args:
      items: counted.
      output: the part's staging folder.
    """
    with HashedFile(storage.join(output, _ITEM_COUNTS)) as file:
        file.write(np.stack([items.items, items.counts, items.first]).tobytes())


def item_counts_entry(output: str) -> dict[str, Any]:
    """Returns what the manifest says of the items that were written."""
    return {ITEM_COUNTS: {_ITEM_COUNTS: checked.fingerprint(storage.join(output, _ITEM_COUNTS))}}


def _read_item_counts(part: str, values: Mapping[str, Any]) -> ItemCounts:
    # Parts of earlier versions have no checksum of it.
    expected = values.get(ITEM_COUNTS, {}).get(_ITEM_COUNTS, {})
    path = storage.join(part, _ITEM_COUNTS)
    data = checked.read_bytes(path, expected, REMEDY)
    if len(data) % (3 * np.dtype(np.int64).itemsize):
        raise UserInputError(f"{path!r} has {len(data)} bytes: it was cut. {REMEDY}")
    return ItemCounts(*np.frombuffer(data, np.int64).reshape(3, -1))
