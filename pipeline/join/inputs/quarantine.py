"""The quarantine of the log: rejected rows with their place, reason and values."""

from features.files import storage
from features.tables import plain
from pipeline.join.inputs.event_batches import ValidatedBatch
from pipeline.join.inputs.event_log import ReadUnit
from pipeline.publishing.publication import QUARANTINE
from pipeline.publishing.shards import HashedFile, json_line


class Quarantine:
    """The rejected rows of a read unit, as JSON lines; no file where there are none.

    Args:
      output: the staging folder of the data set.
      unit: whose rows.
    """

    def __init__(self, output: str, unit: ReadUnit):
        self._name, place = unit.unit.name, unit.unit.place
        self._path = storage.join(
            output, QUARANTINE, f"{unit.source}-{unit.unit.file:05d}-{place.number:05d}.jsonl"
        )
        self._file: HashedFile | None = None

    def add(self, batch: ValidatedBatch) -> None:
        """Appends a batch's rejected rows."""
        if not len(batch.rows):
            return
        if self._file is None:
            self._file = HashedFile(self._path).__enter__()
        for row, reason, values in zip(
            batch.rows.tolist(), batch.reasons, plain.rows(batch.rejected), strict=True
        ):
            line = {"file": self._name, "row": row, "reason": reason, "values": values}
            self._file.write(json_line(line))

    def close(self) -> None:
        """Completes the file, if there is one."""
        if self._file is not None:
            self._file.__exit__(None, None, None)
