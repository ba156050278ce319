"""The files that the join writes: a partition's shards, a read unit's quarantine."""

import numpy as np

from features.files import storage
from features.records import tfrecord
from pipeline.join.inputs.event_batches import ValidatedBatch
from pipeline.join.inputs.event_log import ReadUnit
from pipeline.join.join_plan import JoinPlan
from pipeline.join.partition.records import Block
from pipeline.join.rules import splits
from pipeline.join.transport import summary
from pipeline.publishing.publication import QUARANTINE
from pipeline.publishing.shards import HashedFile, json_line, shard_name


class PartitionShards:
    """The open shards of a partition, one a split that has a record.

    Args:
      plan: where they go.
      partition: its number.
    """

    def __init__(self, plan: JoinPlan, partition: int):
        self._plan, self._partition = plan, partition
        self._files: dict[int, HashedFile] = {}
        self._records: dict[int, int] = {}
        self._times: dict[int, tuple[int, int]] = {}
        self._code_counts: summary.Summary = {}

    def add(self, block: Block) -> None:
        """Appends a block's records, each to the shard of its split."""
        framed = list(map(tfrecord.frame, block.serialized))
        for split in np.unique(block.split).tolist():
            mine = np.flatnonzero(block.split == split)
            if split not in self._files:
                self._files[split] = HashedFile(self._path(split)).__enter__()
            self._files[split].write(b"".join([framed[record] for record in mine.tolist()]))
            self._records[split] = self._records.get(split, 0) + len(mine)
            times = block.time[mine]
            low, high = self._times.get(split, (splits.END, splits.BEGIN))
            self._times[split] = (min(low, int(times.min())), max(high, int(times.max())))
        self._code_counts = summary.merge(self._code_counts, block.code_counts)

    def close(self) -> summary.Summary:
        """Completes the shards and returns what they hold."""
        shards = {}
        for split, file in self._files.items():
            file.__exit__(None, None, None)
            first, last = self._times[split]
            shards[storage.base_name(self._path(split))] = {
                "split": self._plan.split_names[split],
                "sha256": file.sha256,
                "records": self._records[split],
                "bytes": file.bytes,
                "first_time": first,
                "last_time": last,
            }
        return {"shards": shards, "similarity": self._code_counts}

    def _path(self, split: int) -> str:
        name = shard_name(self._plan.split_names[split], self._partition, self._plan.partitions)
        return storage.join(self._plan.output, name)


class Quarantine:
    """The rejected rows of a read unit, as JSON lines; no file where there are none.

    Args:
      output: folder of the data set in the making.
      unit: what is read.
    """

    def __init__(self, output: str, unit: ReadUnit):
        self._name = storage.base_name(unit.path)
        self._path = storage.join(
            output, QUARANTINE, f"{unit.source}-{unit.file:05d}-{unit.row_group:05d}.jsonl"
        )
        self._file: HashedFile | None = None

    def add(self, batch: ValidatedBatch) -> None:
        """Appends a batch's rejected rows with file, row, reason and values."""
        if not len(batch.rows):
            return
        if self._file is None:
            self._file = HashedFile(self._path).__enter__()
        for row, reason, values in zip(
            batch.rows.tolist(), batch.reasons, batch.rejected.to_pylist(), strict=True
        ):
            line = {"file": self._name, "row": row, "reason": reason, "values": values}
            self._file.write(json_line(line))

    def close(self) -> None:
        """Completes the file, if there is one."""
        if self._file is not None:
            self._file.__exit__(None, None, None)
