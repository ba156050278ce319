"""Writes one table: rows in, Parquet and quarantine out, counted."""

import collections
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from absl import logging

from features.errors import UserInputError
from features.files import parquet
from pipeline.adapters.text_rows import BadRowError, TextRow
from pipeline.publishing.shards import json_line

_GROUPS_PER_PART = 64
_REPORT_ROWS = 5_000_000


class Table:
    """Writer of a folder of Parquet files.

    All row groups have one size, so the bytes depend on the rows and not on how they arrive.

    Args:
      name: for counts and messages; quarantined rows go to `<name>.jsonl`.
      folder: receives `part-00000.parquet` and so on.
      quarantine: folder of the quarantined rows; created with the first one.
      schema: of the output.
      rows_per_group: size of a row group; memory holds one.
      chunk_rows: the most rows of text to buffer as Python objects.
      source: folder of the sources; quarantined rows name their file below it.

    Attributes:
      schema: of the output.
      source_rows: rows received.
      read: rows that they stand for, such as the candidates of an impression; one if it is bad.
      quarantined: rows that were left out.
      repeated: rows received that stand for none, since an earlier one has their id.
      largest: the most rows that one row received stands for, as far as `take_several` saw.
      written: rows in complete files; final after `close`.
      emptied: by column, values that could not be parsed and are null.
      paths: the files, in order.
    """

    def __init__(
        self,
        name: str,
        folder: str,
        quarantine: str,
        schema: pa.Schema,
        rows_per_group: int,
        chunk_rows: int,
        source: str,
    ):
        self._name, self._folder, self._source = name, folder, source
        self._bad_rows = os.path.join(quarantine, f"{name}.jsonl")
        self._rows_per_group, self._chunk_rows = rows_per_group, chunk_rows
        self.schema = schema
        self.source_rows = self.read = self.quarantined = self.repeated = self.written = 0
        self.largest = 0
        self.emptied: collections.Counter[str] = collections.Counter()
        self._rows: list[Sequence[Any]] = []
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self.paths: list[str] = []
        self._writer: pq.ParquetWriter | None = None
        self._groups = 0
        self._first_reason = ""
        os.makedirs(folder)

    def take(self, row: TextRow, parse: Callable[[TextRow], Sequence[Any]]) -> None:
        """Takes a row of text.

        Args:
          row: as it was read; quarantined if it has a problem.
          parse: returns the values in the schema's order, or raises `BadRowError`.
        """
        self.take_several(row, lambda one: (parse(one),))

    def take_several(
        self, row: TextRow, parse: Callable[[TextRow], Sequence[Sequence[Any]]]
    ) -> None:
        """Takes a row of text that stands for any number of rows; see `take`."""
        self.source_rows += 1
        try:
            if row.problem is not None:
                raise BadRowError(row.problem)
            rows = parse(row)
            self._count_read(len(rows))
            self.largest = max(self.largest, len(rows))
            self._rows.extend(rows)
        except BadRowError as error:
            self._count_read(1)
            self._reject(row.file, {"line": row.line}, str(error), row.text)
        if len(self._rows) >= self._chunk_rows:
            self._flush_rows()

    def take_batch(
        self,
        batch: pa.RecordBatch,
        origin: tuple[str, int],
        reasons: np.ndarray,
        convert: Callable[[pa.RecordBatch], list[pa.Array]],
    ) -> None:
        """Takes rows of Parquet.

        Args:
          batch: `[N]` rows as they were read.
          origin: the file's path, and the position of the first row in it.
          reasons: `[N]` str, what is wrong with each row; empty for good ones.
          convert: turns the good rows into columns in the schema's order, `[M]` for any M.
        """
        self.source_rows += batch.num_rows
        good = reasons == ""
        if not good.all():
            rejected = batch.filter(pa.array(~good)).to_pylist()
            rows = origin[1] + np.flatnonzero(~good)
            for row, reason, values in zip(rows.tolist(), reasons[~good], rejected, strict=True):
                self._reject(origin[0], {"row": row}, reason, values)
            batch = batch.filter(pa.array(good))
        converted = pa.RecordBatch.from_arrays(convert(batch), schema=self.schema)
        self._count_read(int((~good).sum()) + converted.num_rows)
        self._append(converted)

    def close(self, max_bad_fraction: float) -> None:
        """Completes the files.

        Raises:
          UserInputError: more than `max_bad_fraction` of the rows were quarantined.
        """
        self._flush_rows()
        self._write_groups(last=True)
        self._close_part()
        self.written = sum(pq.read_metadata(path).num_rows for path in self.paths)
        if self.read != self.written + self.quarantined:
            raise RuntimeError(
                f"Table {self._name}: read {self.read}, but wrote {self.written} and quarantined "
                f"{self.quarantined}. This is a bug."
            )
        counts = (self._name, self.read, self.written, self.quarantined)
        logging.info("%s: read %d, written %d, quarantined %d.", *counts)
        if self.quarantined > max_bad_fraction * self.source_rows:
            raise UserInputError(
                f"{self.quarantined:,} of {self.source_rows:,} rows for {self._name} cannot be "
                f"used, more than --max_bad_fraction {max_bad_fraction} allows. First: "
                f"{self._first_reason}. Fix the files or raise --max_bad_fraction."
            )

    def _count_read(self, rows: int) -> None:
        before, self.read = self.read, self.read + rows
        if before // _REPORT_ROWS != self.read // _REPORT_ROWS:
            logging.info("%s: %d rows.", self._name, self.read)

    def _reject(self, path: str, place: dict[str, int], reason: str, values: Any) -> None:
        file = os.path.relpath(path, self._source)
        if not self._first_reason:
            os.makedirs(os.path.dirname(self._bad_rows), exist_ok=True)
            ((unit, number),) = place.items()
            self._first_reason = f"{file}, {unit} {number}: {reason}"
        self.quarantined += 1
        # Opened for each row, so that the rows are on disk if the converter is killed.
        with open(self._bad_rows, "ab") as lines:
            lines.write(json_line({"file": file, **place, "reason": reason, "values": values}))

    def _flush_rows(self) -> None:
        if not self._rows:
            return
        columns = zip(zip(*self._rows, strict=True), self.schema.types, strict=True)
        arrays = [pa.array(column, kind) for column, kind in columns]
        self._rows = []
        self._append(pa.RecordBatch.from_arrays(arrays, schema=self.schema))

    def _append(self, batch: pa.RecordBatch) -> None:
        self._pending.append(batch)
        self._pending_rows += batch.num_rows
        if self._pending_rows >= self._rows_per_group:
            self._write_groups()

    def _write_groups(self, last: bool = False) -> None:
        """Writes the full row groups that are pending; at the end also the one that is not."""
        pending = pa.Table.from_batches(self._pending, self.schema)
        size, start = self._rows_per_group, 0
        while len(pending) - start >= size or (last and (start < len(pending) or not self.paths)):
            # One chunk a column: chunks would decide where Parquet's pages end.
            self._write_group(pending.slice(start, size).combine_chunks())
            start += size
        rest = pending.slice(start)
        self._pending, self._pending_rows = rest.to_batches(), len(rest)

    def _write_group(self, group: pa.Table) -> None:
        if self._writer is None:
            path = os.path.join(self._folder, f"part-{len(self.paths):05d}.parquet")
            self.paths.append(path)
            self._writer = parquet.table_writer(path, self.schema)
        self._writer.write_table(group, row_group_size=self._rows_per_group)
        self._groups += 1
        if self._groups == _GROUPS_PER_PART:
            self._close_part()

    def _close_part(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._groups = None, 0
