"""Pre-flight of a behavior log: its files and columns, checked before anything is read.

The log itself (`EVENTS`) and each label's own log (`label_<name>`) are read alike; the role of a
row decides what becomes of it.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from features.errors import UserInputError
from features.schema import REQUEST_ID, SideFeature
from features.tables import kinds, times
from features.tables.expressions import Expression
from features.tables.reader import Unit
from features.tables.table import Table, open_table
from pipeline.join.inputs.log_columns import LogColumns
from pipeline.join.inputs.time_unit_check import first_times
from pipeline.join.options import JoinOptions
from pipeline.tables import side_features
from pipeline.tables.ids import same_kind

EVENTS = "events"

_LABEL = "label_"

_NO_TIMES = np.zeros(0, np.int64)


@dataclasses.dataclass(frozen=True)
class ReadUnit:
    """The unit of reading: a unit of the table of an input.

    Attributes:
      source: the input.
      unit: of its table.
    """

    source: str
    unit: Unit


@dataclasses.dataclass(frozen=True)
class EventLog:
    """A log that passed the pre-flight.

    Attributes:
      source: `EVENTS`, or `label_<name>`.
      columns: what is read of it.
      table: its files.
      first_times: `[N]` int64 microseconds, the first times of some of its files.
    """

    source: str
    columns: LogColumns
    table: Table
    first_times: np.ndarray

    @property
    def events(self) -> int:
        """The number of rows."""
        return self.table.rows

    @property
    def units(self) -> tuple[ReadUnit, ...]:
        """What is read, in order."""
        return read_units(self.source, self.table)

    @property
    def inputs(self) -> tuple[dict[str, object], ...]:
        """The files' fingerprints."""
        return self.table.fingerprints

    @property
    def user_kind(self) -> dict[str, pa.DataType]:
        """The type of `user_id` by file, of one file."""
        return self._kind("user_id")

    @property
    def item_kind(self) -> dict[str, pa.DataType]:
        """The type of `item_id` by file, of one file."""
        return self._kind("item_id")

    @property
    def request_kind(self) -> dict[str, pa.DataType]:
        """The type of `request_id` by file, of one file, where the log has it."""
        return self._kind(REQUEST_ID)

    def _kind(self, name: str) -> dict[str, pa.DataType]:
        return {self.table.schema.columns[name].path: self.table.reader.kinds[name]}


def open_log(options: JoinOptions) -> EventLog:
    """Opens the log and checks its columns.

    Raises:
      UserInputError: a file is unreadable, lacks a column or holds it in another type, an
        expression does not fit the columns, or times are in another unit.
    """
    return _open(options, EVENTS, options.events, "events")


def open_label_logs(options: JoinOptions, log: EventLog) -> tuple[EventLog, ...]:
    """Opens the logs whose rows set labels.

    Raises:
      UserInputError: as `open_log`, or the ids are of another kind than those of the log.
    """
    label_logs = []
    for label, folders in options.label_logs.items():
        flag = flag_of(f"{_LABEL}{label}")
        one = _open(options, f"{_LABEL}{label}", folders, flag, label, log.columns.context)
        same_kind({**log.user_kind, **one.user_kind}, "user_id")
        same_kind({**log.item_kind, **one.item_kind}, "item_id")
        if log.columns.has_request_id and one.columns.has_request_id:
            same_kind({**log.request_kind, **one.request_kind}, REQUEST_ID)
        label_logs.append(one)
    return tuple(label_logs)


def flag_of(source: str) -> str:
    """Returns the flag that named an input, without its dashes.

    >>> flag_of("label_click"), flag_of("events")
    ('label_logs click', 'events')
    """
    is_label = source.startswith(_LABEL)
    return f"label_logs {source.removeprefix(_LABEL)}" if is_label else source


def read_units(source: str, table: Table) -> tuple[ReadUnit, ...]:
    """Returns the units of a table, in order."""
    return tuple(ReadUnit(source, unit) for unit in table.units)


def _open(
    options: JoinOptions,
    source: str,
    locations: Sequence[str],
    flag: str,
    label: str | None = None,
    context: tuple[SideFeature, ...] = (),
) -> EventLog:
    table = open_table(locations, flag, options.tables, is_log=True)
    columns = _columns(options, table, label, context)
    _check(table, columns)
    found = first_times(table, options.timestamp_unit) if columns.has_timestamp else _NO_TIMES
    log = EventLog(source, columns, table, found)
    # An hour may be without events; the first part may not.
    if label is None and options.part is None:
        check_not_empty(log)
    return log


def check_not_empty(log: EventLog) -> None:
    """Checks that a log has rows.

    Raises:
      UserInputError: it has none.
    """
    if not log.events:
        table = log.table
        raise UserInputError(
            f"--{flag_of(log.source)}: the files of {table.location!r} hold no row."
        )


def _columns(
    options: JoinOptions, table: Table, label: str | None, context: tuple[SideFeature, ...]
) -> LogColumns:
    """Resolves the options against the table's columns."""
    of_log = label is None
    if of_log:
        context = tuple(side_features.scalar_feature(table, one) for one in options.context)
    may_lack_time = of_log and options.histories
    has_timestamp = _in_all(table, "timestamp") if may_lack_time else True
    if not has_timestamp and options.split_column is None and options.split_by != "user":
        raise UserInputError(
            f"--events: {table.location!r} has no column 'timestamp', so its rows cannot be split "
            "by time. Give --split_column or --split_by user, or write the timestamps."
        )
    if options.statistics and not has_timestamp:
        raise UserInputError(
            f"--statistics: {table.location!r} has no column 'timestamp', so nothing says what "
            "was before a request. Write the timestamps, or leave --statistics out."
        )
    return LogColumns(
        options=options,
        sets_label=label,
        context=context,
        has_request_id=_in_all(table, REQUEST_ID),
        has_timestamp=has_timestamp,
        reader=table.reader,
    )


def _in_all(table: Table, name: str) -> bool:
    """Whether every file has a column.

    Raises:
      UserInputError: some files have it, and others have not.
    """
    if not table.has(name):
        return False
    table.column(name, lambda kind: True, "")
    return True


def _check(table: Table, columns: LogColumns) -> None:
    """Checks the types of what is read."""
    ids = "int64 or string"
    table.column("user_id", kinds.is_id, ids)
    table.column("item_id", kinds.is_id, ids)
    if columns.has_request_id:
        table.column(REQUEST_ID, kinds.is_id, ids)
    if columns.has_timestamp:
        unit = f"{columns.options.timestamp_unit}, see --timestamp_unit"
        table.column("timestamp", kinds.is_time, times.EXPECTED.format(unit=unit))
    if columns.split_column is not None:
        table.column(columns.split_column, kinds.is_text, "string (--split_column)")
    if columns.sets_label is None:
        for name in columns.computed:
            if table.has(name):
                flag = "derive_label" if name in columns.derived else "label_events or label_logs"
                raise UserInputError(
                    f"--{flag} {name!r}: {table.location!r} already has such a column. Choose "
                    "another name."
                )
    # Where null means 0, a file without a label has none that is positive.
    everywhere = columns.options.null_label is None
    for label in columns.stored_labels:
        table.column(label, kinds.is_number, "a number, 0 or 1 (--labels)", everywhere)
    for name in columns.stored_statistics:
        labels = ", ".join(columns.options.resolved_labels)
        expected = f"a number (--statistics; the labels are {labels})"
        table.column(name, kinds.is_number, expected)
    if columns.weight is not None:
        table.column(columns.weight, kinds.is_number, "a number, 0 or more (--weight_column)")
    if columns.position is not None:
        table.column(columns.position, kinds.is_number, "a number, 0 or more (--position_column)")
    for feature in columns.stored_context:
        accepts = kinds.is_id if feature.kind == "categorical" else kinds.is_number
        expected = f"{feature.kind} (--context)"
        table.column(feature.name, accepts, expected, everywhere=False)
    _check_expressions(table, columns)


def _check_expressions(table: Table, columns: LogColumns) -> None:
    """Evaluates every expression on zero rows, which shows missing columns and types."""
    for name in columns.expression_columns:
        if table.has(name):
            table.column(name, lambda kind: True, "")
    empty = {name: pa.nulls(0, kind) for name, kind in table.reader.kinds.items()}
    where = table.location
    for name, expression in columns.derived.items():
        _check_expression(where, f"derive_label {name}", expression, empty)
        empty[name] = pa.nulls(0, pa.float32())
    for name, expression in columns.label_events.items():
        _check_expression(where, f"label_events {name}", expression, empty)
    empty |= {name: pa.nulls(0, pa.float32()) for name in columns.computed}
    options = columns.options
    if isinstance(options.behavior, Expression):
        advice = _advice_of_default_rule(columns) if options.has_default_behavior_rule else ""
        _check_expression(where, "behavior_rule", options.behavior, empty, advice)
    for expression in options.behavior_type_rules:
        _check_expression(where, "behavior_type", expression, empty)


def _check_expression(
    where: str, flag: str, expression: Expression, empty: dict[str, pa.Array], advice: str = ""
) -> None:
    try:
        expression.evaluate(empty)
    except UserInputError as error:
        raise UserInputError(f"--{flag}: {where!r}: {error}{advice}") from error


def _advice_of_default_rule(columns: LogColumns) -> str:
    """Returns how to replace the default rule, which reads a label that need not be there."""
    label = columns.options.resolved_labels[0]
    flag = f"--labels {label} " if label in columns.stored_labels else ""
    return (
        " That is the default of --behavior_rule. A log whose label is called "
        f'{label} needs {flag}--behavior_rule "{label} == 1".'
    )
