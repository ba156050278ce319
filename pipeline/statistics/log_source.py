"""A behavior log that is inspected: its table, opened and checked before anything is read."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import UserInputError
from features.schema import TIMESTAMP, USER_ID
from features.tables import kinds, times
from features.tables.expressions import Expression
from features.tables.options import DEFAULT, TableOptions
from features.tables.table import Table, open_table
from pipeline.statistics import streams

FLAG = "events"
ITEM_ID = "item_id"


@dataclasses.dataclass(frozen=True)
class LogSource:
    """A behavior log and what its columns mean.

    Attributes:
      events: folders, files or globs, or one.
      labels: columns that are 0 or 1.
      derived: labels that are computed, by name.
      timestamp_unit: `s`, `ms`, `us` or `ns`, of timestamps that are integers.
      null_label: what a label that is null counts as; None for unknown.
      tables: how the files are read.
    """

    events: str | tuple[str, ...]
    labels: tuple[str, ...]
    derived: Mapping[str, Expression] = dataclasses.field(default_factory=dict)
    timestamp_unit: str = "s"
    null_label: int | None = None
    tables: TableOptions = DEFAULT


@dataclasses.dataclass(frozen=True)
class OpenLog:
    """A log whose columns were checked.

    Attributes:
      source: what was given.
      table: its files.
    """

    source: LogSource
    table: Table

    @property
    def unit(self) -> str:
        """The unit of the numbers that its timestamps are."""
        is_integer = self.table.reader.kinds[TIMESTAMP] == pa.int64()
        return self.source.timestamp_unit if is_integer else "us"

    @property
    def required(self) -> set[str]:
        """The columns that have to be readable."""
        return {USER_ID, ITEM_ID, TIMESTAMP, *self._read_by_labels}

    @property
    def _read_by_labels(self) -> set[str]:
        stored = {label for label in self.source.labels if label not in self.source.derived}
        read = {name for one in self.source.derived.values() for name in one.columns}
        return stored | (read - set(self.source.derived))

    def times(self, column: pa.Array) -> pa.Array:
        """Returns a timestamp column as microseconds, null where there is no time of a log."""
        values, known = times.microseconds(column, self.source.timestamp_unit)
        return pa.array(values, mask=~known)

    def timed_items(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Streams `item_id` and `time`, microseconds."""
        kind = streams.streamed_type(self.table.reader.kinds[ITEM_ID])
        schema = pa.schema([(ITEM_ID, kind), ("time", pa.int64())])

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in streams.batches(self.table, (ITEM_ID, TIMESTAMP)):
                found = [streams.streamed(batch[ITEM_ID]), self.times(batch[TIMESTAMP])]
                yield pa.record_batch(found, schema=schema)

        return schema, batches()

    def timed_labels(self) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Streams `time` and `label_<index>`, float64 and null where it is unknown."""
        labels, derived = self.source.labels, self.source.derived
        names = tuple(sorted({TIMESTAMP, *self._read_by_labels}))
        fields = [(f"label_{index}", pa.float64()) for index in range(len(labels))]
        schema = pa.schema([("time", pa.int64()), *fields])

        def stored(column: pa.Array) -> pa.Array:
            column, null = column.cast(pa.float64(), safe=False), self.source.null_label
            return column if null is None else pc.fill_null(column, float(null))

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in streams.batches(self.table, names):
                values = {name: batch[name] for name in names}
                for name, expression in derived.items():
                    values[name] = _derived(expression, values)
                found = [values[one] if one in derived else stored(values[one]) for one in labels]
                yield pa.record_batch([self.times(batch[TIMESTAMP]), *found], schema=schema)

        return schema, batches()


def open_log(source: LogSource) -> OpenLog:
    """Opens a log.

    Raises:
      UserInputError: a file is not readable, or lacks a column or has it in another type.
    """
    table = open_table(source.events, FLAG, source.tables, is_log=True)
    for name in (USER_ID, ITEM_ID):
        table.column(name, kinds.is_id, "int64 or string")
    unit = f"{source.timestamp_unit}, see --timestamp_unit"
    table.column(TIMESTAMP, kinds.is_time, times.EXPECTED.format(unit=unit))
    for label in source.labels:
        if label not in source.derived:
            # Where null means 0, a file without a label has none that is positive.
            everywhere = source.null_label is None
            table.column(label, kinds.is_number, "a number, 0 or 1 (--labels)", everywhere)
    empty = {name: pa.nulls(0, kind) for name, kind in table.reader.kinds.items()}
    for label, expression in source.derived.items():
        for name in set(expression.columns) - set(source.derived):
            expected = f"a column that {expression.text!r} can read (--derive_label)"
            table.column(name, lambda kind: True, expected)
        try:
            expression.evaluate(empty)
        except UserInputError as error:
            raise UserInputError(f"--derive_label {label}: {table.location!r}: {error}") from error
        empty[label] = pa.nulls(0, pa.float64())
    if not table.rows:
        raise UserInputError(f"--{FLAG}: the files of {table.location!r} hold no row.")
    return OpenLog(source, table)


def _derived(expression: Expression, values: Mapping[str, pa.Array]) -> pa.Array:
    """Evaluates an expression where none of its columns is null or NaN; null elsewhere."""
    inputs = [values[name] for name in expression.columns]
    known = np.ones(len(inputs[0]), bool)
    for column in inputs:
        good = column.is_valid()
        if pa.types.is_floating(column.type):
            good = pc.and_(good, pc.fill_null(pc.is_finite(column), False))
        known &= good.to_numpy(zero_copy_only=False)
    result = np.zeros(len(known))
    kept = {name: values[name].filter(pa.array(known)) for name in expression.columns}
    result[known] = expression.evaluate(kept)
    return pa.array(result, mask=~known)
