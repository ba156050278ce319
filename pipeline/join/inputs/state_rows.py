"""Events in the state that a part leaves for the next: behaviors, and candidates that stay open.

A row is a behavior or a past interaction of its user, or, where the file has a column `role`, a
candidate: one that waits to be written, or one that was written and whose label events still come.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from features.files import parquet, storage
from features.tables import formats
from features.tables.options import DEFAULT
from features.tables.reader import Unit
from pipeline.join.inputs.duplicates import run_starts
from pipeline.join.inputs.event_batches import ValidatedBatch, numpy_of
from pipeline.join.inputs.log_columns import SHOWN, LogColumns, Role
from pipeline.join.inputs.part_state import STATE
from pipeline.join.inputs.prior_events import prior_events
from pipeline.join.options import JoinOptions
from pipeline.publishing.shards import HashedFile, shard_name

_COLUMNS = ("user", "item", "time", "type", "behavior")
_OF_CANDIDATES = ("request", "weight", "position", "item_count")
_BEGIN_OF_CANDIDATES = ("label_", "context_")


def read_rows(unit: Unit, columns: LogColumns) -> Iterator[ValidatedBatch]:
    """Reads a unit of what an earlier part left."""
    first_row, place = unit.place.first_row, unit.place
    names = formats.inspect(unit.path, DEFAULT).schema.names
    for batch in formats.read(unit.path, unit.format, place, names, {}, DEFAULT):
        rows = first_row + np.arange(batch.num_rows)
        first_row += batch.num_rows
        values = {name: numpy_of(batch[name]) for name in names}
        events = prior_events(columns, values, unit.file, rows, rows)
        nothing = np.zeros(0, np.int64)
        yield ValidatedBatch(events, batch.slice(0, 0), nothing, nothing.astype(str))


def write_rows(
    output: str,
    options: JoinOptions,
    partition: int,
    partitions: int,
    events: Mapping[str, np.ndarray],
    last: int,
    needed_from: int,
) -> dict[str, Any]:
    """Writes the events of a partition's users that a later part can need.

    Args:
      output: the part's staging folder.
      options: of the join.
      partition: its number.
      partitions: users are spread over so many.
      events: `[E]` columns of the partition, sorted by user, time and row; drawn negatives are left
        out.
      last: microseconds of the log's last event, or of the partition's, which is that or earlier.
      needed_from: as in `needed_later`.

    Returns:
      The manifest's entry by file name.
    """
    logged = np.flatnonzero(events["role"] != Role.NEGATIVE)
    of_history = {name: events[name][logged] for name in ("user", "item", "time", "behavior")}
    with_interactions = options.negatives is not None
    needed = needed_later(of_history, options.history_length, needed_from, with_interactions)
    columns = list(_COLUMNS)
    role = _later_roles(events["role"][logged], of_history["time"], options, last)
    if options.carries_candidates:
        needed = np.union1d(needed, np.flatnonzero(role != Role.PRIOR))
        of_candidates = [name for name in events if name.startswith(_BEGIN_OF_CANDIDATES)]
        of_candidates += [name for name in _OF_CANDIDATES if name in events]
        columns += of_candidates
    columns += ["residual"] if options.carries_sums else []
    kept = {name: events[name][logged[needed]] for name in columns}
    if options.carries_candidates:
        kept["role"] = role[needed]
        for name in of_candidates:
            # Of what is no candidate any more nothing is read.
            kept[name] = np.where(kept["role"] == Role.PRIOR, 0, kept[name]).astype(
                kept[name].dtype
            )
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(kept), sink)
    name = shard_name(STATE, partition, partitions, "parquet")
    with HashedFile(storage.join(output, STATE, name)) as file:
        file.write(sink.getvalue().to_pybytes())
    size = {"bytes": file.bytes, "sha256": file.sha256}
    return {name: {**size, "rows": len(needed), "last_time": last}}


def _later_roles(role: np.ndarray, time: np.ndarray, options: JoinOptions, last: int) -> np.ndarray:
    """Returns the role that each event has in the next part, `[E]` int8."""
    later = np.full(len(role), Role.PRIOR, np.int8)
    if options.late_statistics:
        is_open = time + options.longest_window > last
        later[np.isin(role, SHOWN) & is_open] = Role.WRITTEN
    later[role == Role.WAITING] = Role.CANDIDATE
    return later


def needed_later(
    events: Mapping[str, np.ndarray], length: int, needed_from: int, with_interactions: bool
) -> np.ndarray:
    """Returns the positions of the events that a later part can need in histories.

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
