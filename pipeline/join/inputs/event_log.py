"""Pre-flight of a behavior log: its files and columns, checked before anything is read.

The log itself (`EVENTS`) and each label's own log (`label_<name>`) are read alike; the role of a
row decides what becomes of it.
"""

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import UserInputError
from features.schema import SideFeature
from features.tables.expressions import Expression
from pipeline.join.inputs.log_columns import LogColumns
from pipeline.join.options import JoinOptions
from pipeline.tables import parquet, side_features

EVENTS = "events"
REQUEST_ID = "request_id"


@dataclasses.dataclass(frozen=True)
class ReadUnit:
    """The unit of reading: a row group of a file.

    Attributes:
      source: the input that the file belongs to.
      path: of the file.
      file: its position in the order of names.
      row_group: its number in the file.
      first_row: of the row group in the file.
    """

    source: str
    path: str
    file: int
    row_group: int
    first_row: int


@dataclasses.dataclass(frozen=True)
class EventLog:
    """A log that passed the pre-flight.

    Attributes:
      source: `EVENTS`, or `label_<name>`.
      columns: what is read of it.
      units: row groups, in order.
      events: the number of rows.
      inputs: the files' fingerprints.
      user_kind: the type of `user_id` by file.
      item_kind: the type of `item_id` by file.
    """

    source: str
    columns: LogColumns
    units: tuple[ReadUnit, ...]
    events: int
    inputs: tuple[dict[str, object], ...]
    user_kind: dict[str, pa.DataType]
    item_kind: dict[str, pa.DataType]


def open_log(options: JoinOptions) -> EventLog:
    """Opens the log and checks every file's schema.

    Raises:
      UserInputError: a file is unreadable, lacks a column or holds it in another type, or an
        expression does not fit the columns.
    """
    return _open(options, EVENTS, options.events, "events")


def open_label_logs(options: JoinOptions, log: EventLog) -> tuple[EventLog, ...]:
    """Opens the logs whose rows set labels.

    Raises:
      UserInputError: as `open_log`, or the ids are of another kind than those of the log.
    """
    label_logs = []
    for label, folder in options.label_logs.items():
        flag = f"label_logs {label}"
        one = _open(options, f"label_{label}", folder, flag, label, log.columns.context)
        parquet.same_kind({**log.user_kind, **one.user_kind}, "user_id")
        parquet.same_kind({**log.item_kind, **one.item_kind}, "item_id")
        label_logs.append(one)
    return tuple(label_logs)


def row_groups(source: str, files: dict[str, pq.ParquetFile]) -> tuple[ReadUnit, ...]:
    """Returns the units of open files, in order."""
    units = []
    for index, (path, file) in enumerate(files.items()):
        first_row = 0
        for group in range(file.num_row_groups):
            units.append(ReadUnit(source, path, index, group, first_row))
            first_row += file.metadata.row_group(group).num_rows
    return tuple(units)


def _open(
    options: JoinOptions,
    source: str,
    location: str,
    flag: str,
    label: str | None = None,
    context: tuple[SideFeature, ...] = (),
) -> EventLog:
    files = parquet.open_files(location, flag)
    columns = _columns(options, files, label, context)
    for path, file in files.items():
        _check_file(path, file.schema_arrow, columns)
    schemas = {path: file.schema_arrow for path, file in files.items()}
    user_kind = {path: schema.field("user_id").type for path, schema in schemas.items()}
    item_kind = {path: schema.field("item_id").type for path, schema in schemas.items()}
    parquet.same_kind(user_kind, "user_id")
    parquet.same_kind(item_kind, "item_id")
    events = sum(file.metadata.num_rows for file in files.values())
    if not events and label is None:
        raise UserInputError(f"--{flag}: the files of {location!r} hold no row.")
    return EventLog(
        source,
        columns,
        row_groups(source, files),
        events,
        tuple(parquet.footer_fingerprint(path) for path in files),
        user_kind,
        item_kind,
    )


def _columns(
    options: JoinOptions,
    files: dict[str, pq.ParquetFile],
    label: str | None,
    context: tuple[SideFeature, ...],
) -> LogColumns:
    """Resolves the options against the first file's schema."""
    path, file = next(iter(files.items()))
    schema = file.schema_arrow
    of_log = label is None
    if of_log:
        context = tuple(side_features.scalar_feature(path, schema, one) for one in options.context)
    may_lack_time = of_log and options.histories is not None
    has_timestamp = _in_all(files, "timestamp") if may_lack_time else True
    if not has_timestamp and options.split_column is None and options.split_by != "user":
        raise UserInputError(
            f"--events: {path!r} has no column 'timestamp', so its rows cannot be split by time. "
            "Give --split_column or --split_by user, or write the timestamps."
        )
    if options.statistics and not has_timestamp:
        raise UserInputError(
            f"--statistics: {path!r} has no column 'timestamp', so nothing says what was before a "
            "request. Write the timestamps, or leave --statistics out."
        )
    return LogColumns(
        options=options,
        sets_label=label,
        context=context,
        has_request_id=_in_all(files, REQUEST_ID),
        has_timestamp=has_timestamp,
    )


def _in_all(files: dict[str, pq.ParquetFile], name: str) -> bool:
    """Whether every file has a column.

    Raises:
      UserInputError: some files have it, and others have not.
    """
    lacking = [path for path, file in files.items() if name not in file.schema_arrow.names]
    if lacking and len(lacking) < len(files):
        raise UserInputError(
            f"{lacking[0]!r} has no column {name!r}, but other files of the log have. "
            "Write it to all files or to none."
        )
    return not lacking


def _check_file(path: str, schema: pa.Schema, columns: LogColumns) -> None:
    ids = "int64 or string"
    parquet.check_column(path, schema, "user_id", parquet.is_id, ids)
    parquet.check_column(path, schema, "item_id", parquet.is_id, ids)
    if columns.has_request_id:
        parquet.check_column(path, schema, REQUEST_ID, parquet.is_id, ids)
    if columns.has_timestamp:
        unit = f"int64 (in {columns.options.timestamp_unit}, see --timestamp_unit)"
        parquet.check_column(path, schema, "timestamp", parquet.is_integer, unit)
    if columns.split_column is not None:
        expected = "string (--split_column)"
        parquet.check_column(path, schema, columns.split_column, parquet.is_text, expected)
    if columns.sets_label is None:
        for name in columns.computed:
            if name in schema.names:
                flag = "derive_label" if name in columns.derived else "label_events or label_logs"
                raise UserInputError(
                    f"--{flag} {name!r}: {path!r} already has such a column. Choose another name."
                )
    for label in columns.stored_labels:
        parquet.check_column(path, schema, label, parquet.is_number, "a number, 0 or 1 (--labels)")
    for name in columns.stored_statistics:
        labels = ", ".join(columns.options.resolved_labels)
        expected = f"a number (--statistics; the labels are {labels})"
        parquet.check_column(path, schema, name, parquet.is_number, expected)
    if columns.weight is not None:
        expected = "a number, 0 or more (--weight_column)"
        parquet.check_column(path, schema, columns.weight, parquet.is_number, expected)
    for feature in columns.stored_context:
        accepts = parquet.is_id if feature.kind == "categorical" else parquet.is_number
        parquet.check_column(path, schema, feature.name, accepts, f"{feature.kind} (--context)")
    _check_expressions(path, schema, columns)


def _check_expressions(path: str, schema: pa.Schema, columns: LogColumns) -> None:
    """Evaluates every expression on zero rows, which shows missing columns and types."""
    empty = {name: pa.nulls(0, _plain(schema.field(name).type)) for name in schema.names}
    for name, expression in columns.derived.items():
        _check_expression(path, f"derive_label {name}", expression, empty)
        empty[name] = pa.nulls(0, pa.float32())
    for name, expression in columns.label_events.items():
        _check_expression(path, f"label_events {name}", expression, empty)
    empty |= {name: pa.nulls(0, pa.float32()) for name in columns.computed}
    options = columns.options
    if isinstance(options.behavior, Expression):
        advice = _advice_of_default_rule(columns) if options.has_default_behavior_rule else ""
        _check_expression(path, "behavior_rule", options.behavior, empty, advice)
    for expression in options.behavior_type_rules:
        _check_expression(path, "behavior_type", expression, empty)


def _check_expression(
    path: str, flag: str, expression: Expression, empty: dict[str, pa.Array], advice: str = ""
) -> None:
    try:
        expression.evaluate(empty)
    except UserInputError as error:
        raise UserInputError(f"--{flag}: {path!r}: {error}{advice}") from error


def _advice_of_default_rule(columns: LogColumns) -> str:
    """Returns how to replace the default rule, which reads a label that need not be there."""
    label = columns.options.resolved_labels[0]
    flag = f"--labels {label} " if label in columns.stored_labels else ""
    return (
        " That is the default of --behavior_rule. A log whose label is called "
        f'{label} needs {flag}--behavior_rule "{label} == 1".'
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
