"""The state that a dated part leaves for the next: its names, its format, writing and reading.

    part=2026-05-01/state/state-00000-of-00004.parquet   behaviors of the partition's users
    part=2026-05-01/state/item_counts.bin                items, where negatives are drawn

A part's state also holds the behaviors of earlier parts that are still needed, so the next part
reads the newest state only.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from features.errors import UserInputError
from features.files import checked, parquet, stamps, storage
from features.files.stamps import Stamp
from features.tables import formats
from features.tables.options import DEFAULT
from features.tables.reader import Unit
from pipeline.join.inputs.duplicates import run_starts
from pipeline.join.inputs.event_batches import ValidatedBatch, numpy_of
from pipeline.join.inputs.event_log import ReadUnit
from pipeline.join.inputs.item_counts import ItemCounts
from pipeline.join.inputs.log_columns import LogColumns, Role
from pipeline.join.inputs.prior_events import prior_events
from pipeline.join.options import JoinOptions
from pipeline.join.rules import splits
from pipeline.publishing.shards import HashedFile, shard_name

STATE = "state"
ITEM_COUNTS = "item_counts"
"""Keys of a part's manifest."""

REMEDY = (
    "It is what an earlier part left for this one. Restore that part's folder from a copy, or "
    "remove the folder, and join that part and those after it again."
)
_ITEM_COUNTS = "state/item_counts.bin"
_COLUMNS = ("user", "item", "time", "type", "behavior")


@dataclasses.dataclass(frozen=True)
class PartState:
    """The state that a part left.

    Attributes:
      last: microseconds of its last event; None if there is no earlier part.
      units: its users' behaviors, to read.
      items: its items and those of earlier parts, where negatives are drawn.
      stamps: of its files, from before they were opened.
    """

    last: int | None = None
    units: tuple[ReadUnit, ...] = ()
    items: ItemCounts | None = None
    stamps: Mapping[str, Stamp] = dataclasses.field(default_factory=dict)

    def unchanged(self) -> contextlib.AbstractContextManager[None]:
        """Returns what checks after a block that the files are those that were opened."""
        return stamps.checked_after(lambda: stamps.check(self.stamps))


def open_state(part: str, values: Mapping[str, Any], has_negatives: bool) -> PartState:
    """Opens a part's state, and compares its files with the part's manifest.

    Args:
      part: the part's folder.
      values: its manifest.
      has_negatives: whether there are item counts.

    Raises:
      UserInputError: a file is missing, or is not the one that the part left.
    """
    folder = storage.join(part, STATE)
    files = {storage.join(folder, name): one for name, one in sorted(values[STATE].items())}
    before = {}
    for path, one in files.items():
        with contextlib.suppress(OSError):
            before[path] = stamps.stamp(path)
        checked.verify(path, one, REMEDY)
    return PartState(
        last=max(one["last_time"] for one in files.values()),
        units=tuple(ReadUnit(STATE, unit) for unit in _units(files)),
        items=_read_item_counts(part, values) if has_negatives else None,
        stamps=before,
    )


def read_behaviors(unit: Unit, columns: LogColumns) -> Iterator[ValidatedBatch]:
    """Reads a unit of an earlier part's behaviors."""
    first_row, place = unit.place.first_row, unit.place
    for batch in formats.read(unit.path, unit.format, place, _COLUMNS, {}, DEFAULT):
        rows = first_row + np.arange(batch.num_rows)
        first_row += batch.num_rows
        values = {name: numpy_of(batch[name]) for name in _COLUMNS}
        events = prior_events(columns, values, unit.file, rows, rows)
        nothing = np.zeros(0, np.int64)
        yield ValidatedBatch(events, batch.slice(0, 0), nothing, nothing.astype(str))


def unreadable(path: str, error: Exception) -> UserInputError:
    """Returns the error of a state that could not be read."""
    return UserInputError(f"--part: {path!r} cannot be read: {str(error).rstrip('.')}. {REMEDY}")


def _units(paths: Iterable[str]) -> Iterator[Unit]:
    for number, path in enumerate(paths):
        content = formats.inspect(path, DEFAULT)
        for place in content.places:
            yield Unit(path, storage.base_name(path), number, content.format, place, layout=0)


def write_behaviors(
    output: str,
    options: JoinOptions,
    partition: int,
    partitions: int,
    events: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Writes the behaviors of a partition's users that a later part can need.

    Args:
      output: the part's staging folder.
      options: of the join.
      partition: its number.
      partitions: users are spread over so many.
      events: `[E]` columns of the partition, sorted by user, time and row.

    Returns:
      The manifest's entry by file name.
    """
    logged = events["role"] != Role.NEGATIVE
    kept = {name: events[name][logged] for name in _COLUMNS}
    # The next part begins after this log's last event, which no partition knows: it is the
    # partition's own last event or later.
    last = int(kept["time"].max(initial=splits.BEGIN // 2))
    rows = needed_later(
        kept, options.history_length, last + 1 - options.delay, options.negatives is not None
    )
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({name: kept[name][rows] for name in _COLUMNS}), sink)
    name = shard_name(STATE, partition, partitions, "parquet")
    with HashedFile(storage.join(output, STATE, name)) as file:
        file.write(sink.getvalue().to_pybytes())
    size = {"bytes": file.bytes, "sha256": file.sha256}
    return {name: {**size, "rows": len(rows), "last_time": last}}


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


def needed_later(
    events: Mapping[str, np.ndarray], length: int, needed_from: int, with_interactions: bool
) -> np.ndarray:
    """Returns the positions of the events that a later part can need.

    Args:
      events: `[E]` columns of one partition, sorted by user, time and row.
      length: the most behaviors of a request (L).
      needed_from: microseconds; behaviors from here on may be hidden from the next part's first
        requests by the delay, so all are kept, and of older ones the latest L.
      with_interactions: keep each user's first event with every item too, which negatives avoid.
    """
    user, behavior = events["user"], np.flatnonzero(events["behavior"])
    older = behavior[events["time"][behavior] < needed_from]
    # With L of 2, users 4 4 4 of three older behaviors end at 3 3 3: positions 1 and 2 stay.
    end = np.searchsorted(user[older], user[older], side="right")
    wanted = np.zeros(len(user), bool)
    wanted[older[np.arange(len(older)) >= end - length]] = True
    wanted[behavior[events["time"][behavior] >= needed_from]] = True
    if with_interactions:
        order = np.lexsort((np.arange(len(user)), events["item"], user))
        wanted[order[run_starts(user[order], events["item"][order])]] = True
    return np.flatnonzero(wanted)
