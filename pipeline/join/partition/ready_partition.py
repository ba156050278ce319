"""A partition with its requests, built once and passed from one step of the join to the next."""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from features.ids import hashing
from pipeline.join.inputs.log_columns import Role
from pipeline.join.options import JoinOptions
from pipeline.join.partition import sequences
from pipeline.join.partition.sequences import Requests
from pipeline.join.transport import array_bytes, arrow_bytes, spill
from pipeline.join.transport.spill import SpilledBlock

_NOT_NEEDED = ("file", "row", "content")
"""Columns that only ordering and finding duplicates need."""

_INDEXES = ("order", "starts", "history_start", "history_end")


@dataclasses.dataclass(frozen=True)
class ReadyPartition:
    """The events of some users and the requests that they make.

    Attributes:
      events: `[E]` by column, sorted by user, time and row.
      requests: of those events.
    """

    events: dict[str, np.ndarray]
    requests: Requests

    @classmethod
    def of(cls, events: pa.Table, options: JoinOptions) -> "ReadyPartition":
        """Builds the requests.

        Args:
          events: `[E]` as `prepare` returns them.
          options: of the join.

        Raises:
          RuntimeError: a sequence leaks; a fault of this program.
        """
        columns = {name: events[name].to_numpy() for name in events.column_names}
        columns = {name: array for name, array in columns.items() if name not in _NOT_NEEDED}
        columns, owner = _by_owner(columns)
        role, time = columns["role"], columns["time"]
        requests = sequences.build_requests(
            user=owner,
            time=time,
            request=columns["request"],
            is_candidate=(role == Role.CANDIDATE) | (role == Role.NEGATIVE),
            is_behavior=columns["behavior"],
            history_length=options.history_length,
            delay=options.delay,
        )
        behaviors = requests.behaviors
        sequences.check_causal(requests, owner[behaviors], time[behaviors], options.delay)
        return cls._of_indexes(columns, *(getattr(requests, name) for name in _INDEXES))

    @classmethod
    def _of_indexes(
        cls,
        events: dict[str, np.ndarray],
        order: np.ndarray,
        starts: np.ndarray,
        history_start: np.ndarray,
        history_end: np.ndarray,
    ) -> "ReadyPartition":
        """Completes the requests with values of the events."""
        # A request's first candidate is its earliest.
        first = order[starts[:-1]]
        requests = Requests(
            order=order,
            starts=starts,
            first=first,
            user=events["user"][first],
            request=events["request"][first],
            time=events["time"][first],
            behaviors=np.flatnonzero(events["behavior"]),
            history_start=history_start,
            history_end=history_end,
        )
        return cls(events, requests)

    def put(self, writer: spill.BlockWriter) -> tuple[SpilledBlock, SpilledBlock]:
        """Stores the partition, for `read`; indexes take 4 bytes each."""
        batch = pa.RecordBatch.from_pydict(self.events)
        indexes = [getattr(self.requests, name).astype(np.int32) for name in _INDEXES]
        return writer.put(arrow_bytes.to_bytes(batch)), writer.put(array_bytes.to_bytes(indexes))

    @classmethod
    def read(cls, blocks: Iterable[SpilledBlock]) -> "ReadyPartition":
        """Reads what `put` stored."""
        events, indexes = (spill.read(block) for block in blocks)
        with pa.ipc.open_stream(events) as reader:
            (batch,) = reader
        columns = {name: batch[name].to_numpy(zero_copy_only=False) for name in batch.schema.names}
        arrays = array_bytes.from_bytes(indexes, len(_INDEXES))
        return cls._of_indexes(columns, *(array.astype(np.int64) for array in arrays))


def _by_owner(columns: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns events and the owner of the behavior sequence of each, sorted by owner.

    The owner is the user, or where sequences are given per split, the user within a split.
    """
    user, split = columns["user"], columns["split"]
    if not (split[columns["role"] == Role.PRIOR] >= 0).any():
        return columns, user
    owner = hashing.combine(user, split.astype(np.int64))
    order = np.lexsort((np.arange(len(owner)), columns["time"], owner))
    return {name: values[order] for name, values in columns.items()}, owner[order]
