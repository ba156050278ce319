"""Sums of users and items in the state that a part leaves for the next.

A file holds `Additions` by id and time: `id`, `time` and a column per sum.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from features.files import parquet, storage
from features.ids import hashing
from features.tables import formats
from features.tables.options import DEFAULT
from features.tables.reader import Unit
from pipeline.join.inputs.part_state import STATE, SUMS
from pipeline.join.partition.cumulative_sums import Additions
from pipeline.join.transport import array_bytes, spill
from pipeline.join.transport.spill import SpilledBlock
from pipeline.publishing.shards import HashedFile, shard_name


def write(output: str, owner: str, number: int, count: int, additions: Additions) -> dict[str, Any]:
    """Writes a file, and returns the manifest's entry.

    Args:
      output: the part's staging folder.
      owner: whose sums, `part_state.USERS` or `part_state.ITEMS`.
      number: of the partition or bucket.
      count: how many of these there are.
      additions: as `CarriedSums.settled` returns them.
    """
    columns = {"id": additions.ids, "time": additions.times}
    columns |= {f"sum_{n}": values for n, values in enumerate(additions.values.T)}
    sink = pa.BufferOutputStream()
    # Ids and most sums are all distinct: a dictionary of them would only be in the way.
    parquet.write_table(pa.table(columns), sink, use_dictionary=False)
    name = shard_name(owner, number, count, "parquet")
    with HashedFile(storage.join(output, STATE, name)) as file:
        file.write(sink.getvalue().to_pybytes())
    entry = {"bytes": file.bytes, "sha256": file.sha256, "rows": len(additions.ids)}
    return {SUMS: {owner: {name: entry}}}


def blocks_of(
    unit: Unit, width: int, count: int, writer: spill.BlockWriter
) -> list[tuple[int, SpilledBlock]]:
    """Reads a unit and returns a block for each partition or bucket that has an id of it.

    Args:
      unit: of a file that `write` wrote.
      width: the number of sums.
      count: how many partitions or buckets ids are spread over.
      writer: where blocks wait.

    Raises:
      pa.ArrowException, OSError: the unit is not readable.
    """
    names = ["id", "time", *(f"sum_{n}" for n in range(width))]
    table = pa.Table.from_batches(
        list(formats.read(unit.path, unit.format, unit.place, names, {}, DEFAULT))
    )
    ids, times, *sums = (table[name].to_numpy() for name in names)
    values = np.stack(sums, axis=1)
    # Rows of one instant are added in the order of the file.
    row = unit.place.first_row + np.arange(len(ids))
    found = []
    for number, mine in enumerate(hashing.rows_by_bucket(ids, count)):
        if mine.size:
            arrays = (ids[mine], times[mine], values[mine], row[mine])
            found.append((number, writer.put(array_bytes.to_bytes(arrays))))
    return found


def additions_of(blocks: Iterable[SpilledBlock], width: int) -> Additions:
    """Returns what blocks hold, in any order, by id, time and row."""
    arrays = [array_bytes.from_bytes(spill.read(block), 4) for block in blocks]
    nothing = np.zeros(0, np.int64)
    arrays.append([nothing, nothing, np.zeros((0, width)), nothing])
    ids, times, values, row = map(np.concatenate, zip(*arrays, strict=True))
    return Additions(ids, times, values).taken(np.lexsort((row, times, ids)))
