"""The shards of a partition, one per split that has a record."""

import numpy as np

from features.files import storage
from features.records import tfrecord
from pipeline.join.partition.records import RecordBlock
from pipeline.join.plan import JoinPlan
from pipeline.join.rules import splits
from pipeline.join.transport import summary
from pipeline.publishing.shards import HashedFile, shard_name


class PartitionShards:
    """The open shards of a partition.

    Args:
      plan: names the folder and the splits.
      partition: its number.
    """

    def __init__(self, plan: JoinPlan, partition: int):
        self._plan, self._partition = plan, partition
        self._files: dict[int, HashedFile] = {}
        self._records: dict[int, int] = {}
        self._times: dict[int, tuple[int, int]] = {}
        self._code_counts: summary.Summary = {}

    def add(self, block: RecordBlock) -> None:
        """Appends a block's records, each to the shard of its split."""
        framed = list(map(tfrecord.frame, block.serialized))
        for split in np.unique(block.split).tolist():
            mine = np.flatnonzero(block.split == split)
            if split not in self._files:
                file = HashedFile(self._path(split), self._plan.options.compression == "gzip")
                self._files[split] = file.__enter__()
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
                "split": self._plan.options.split_names[split],
                "sha256": file.sha256,
                "records": self._records[split],
                "bytes": file.bytes,
                "first_time": first,
                "last_time": last,
            }
        return {"shards": shards, "similarity": self._code_counts}

    def _path(self, split: int) -> str:
        options, partitions = self._plan.options, self._plan.decision.partitions
        content, extension = options.split_names[split], options.shard_extension
        name = shard_name(content, self._partition, partitions, extension)
        return storage.join(self._plan.output, name)
