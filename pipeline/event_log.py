"""The behavior log before it is read: its files, its columns, and whether both will do."""

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import UserInputError
from features.schema import SideFeature
from pipeline import parquet, side_features
from pipeline.expressions import Expression, parse
from pipeline.join_options import ALL_EVENTS, JoinOptions

REQUEST_ID = "request_id"


@dataclasses.dataclass(frozen=True)
class LogColumns:
    """Which columns of the log the join reads, and what for.

    Attributes:
      labels: names of the labels, in the record's order.
      derived: labels that are computed, by name.
      behavior_rule: None for every event.
      behavior_type: None for one type.
      context: columns that become context features.
      has_request_id: whether the log says what was shown together.
      timestamp_unit: `s`, `ms` or `us`.
    """

    labels: tuple[str, ...]
    derived: dict[str, Expression]
    behavior_rule: Expression | None
    behavior_type: Expression | None
    context: tuple[SideFeature, ...]
    has_request_id: bool
    timestamp_unit: str

    @property
    def stored_labels(self) -> tuple[str, ...]:
        """Labels that are columns of the log."""
        return tuple(label for label in self.labels if label not in self.derived)

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Every expression that is evaluated."""
        rules = (self.behavior_rule, self.behavior_type)
        return (*self.derived.values(), *(rule for rule in rules if rule is not None))

    @property
    def expression_columns(self) -> tuple[str, ...]:
        """Columns of the log that an expression reads."""
        names = {name for expression in self.expressions for name in expression.columns}
        return tuple(sorted(names - set(self.derived)))


@dataclasses.dataclass(frozen=True)
class ReadUnit:
    """What one worker reads at once: a row group of a file.

    Attributes:
      path: of the file.
      file: its position in the order of names.
      row_group: its number in the file.
      first_row: of the row group in the file.
    """

    path: str
    file: int
    row_group: int
    first_row: int


@dataclasses.dataclass(frozen=True)
class EventLog:
    """A behavior log that passed the pre-flight.

    Attributes:
      columns: what is read of it.
      units: what there is to read, in order.
      events: the number of rows.
      inputs: the files' fingerprints.
      user_kind: the type of `user_id` by file.
      item_kind: the type of `item_id` by file.
    """

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
    files = parquet.open_files(options.events, "events")
    columns = _columns(options, files)
    for path, file in files.items():
        _check_file(path, file.schema_arrow, columns)
    schemas = {path: file.schema_arrow for path, file in files.items()}
    user_kind = {path: schema.field("user_id").type for path, schema in schemas.items()}
    item_kind = {path: schema.field("item_id").type for path, schema in schemas.items()}
    parquet.same_kind(user_kind, "user_id")
    parquet.same_kind(item_kind, "item_id")
    units = []
    for index, (path, file) in enumerate(files.items()):
        first_row = 0
        for group in range(file.num_row_groups):
            units.append(ReadUnit(path, index, group, first_row))
            first_row += file.metadata.row_group(group).num_rows
    events = sum(file.metadata.num_rows for file in files.values())
    if not events:
        raise UserInputError(f"--events: the files of {options.events!r} hold no row.")
    inputs = tuple(parquet.footer_fingerprint(path) for path in files)
    return EventLog(columns, tuple(units), events, inputs, user_kind, item_kind)


def _columns(options: JoinOptions, files: dict[str, pq.ParquetFile]) -> LogColumns:
    """Resolves the options against the first file's schema."""
    path, file = next(iter(files.items()))
    schema = file.schema_arrow
    rule = None if options.behavior_rule == ALL_EVENTS else parse(options.behavior_rule)
    with_request = [REQUEST_ID in other.schema_arrow.names for other in files.values()]
    if any(with_request) != all(with_request):
        missing = [name for name, has in zip(files, with_request, strict=True) if not has]
        raise UserInputError(
            f"{missing[0]!r} has no column {REQUEST_ID!r}, but other files of the log have. "
            "Write it to all files or to none."
        )
    return LogColumns(
        labels=options.resolved_labels,
        derived=dict(options.derived),
        behavior_rule=rule,
        behavior_type=parse(options.behavior_type) if options.behavior_type else None,
        context=tuple(side_features.scalar_feature(path, schema, text) for text in options.context),
        has_request_id=all(with_request),
        timestamp_unit=options.timestamp_unit,
    )


def _check_file(path: str, schema: pa.Schema, columns: LogColumns) -> None:
    ids = "int64 or string"
    parquet.check_column(path, schema, "user_id", parquet.is_id, ids)
    parquet.check_column(path, schema, "item_id", parquet.is_id, ids)
    if columns.has_request_id:
        parquet.check_column(path, schema, REQUEST_ID, parquet.is_id, ids)
    unit = f"int64 (in {columns.timestamp_unit}, see --timestamp_unit)"
    parquet.check_column(path, schema, "timestamp", parquet.is_integer, unit)
    for name in columns.derived:
        if name in schema.names:
            raise UserInputError(
                f"--derive_label {name!r}: {path!r} already has such a column. Choose another name."
            )
    for label in columns.stored_labels:
        parquet.check_column(path, schema, label, parquet.is_number, "a number, 0 or 1 (--labels)")
    for feature in columns.context:
        accepts = parquet.is_id if feature.kind == "categorical" else parquet.is_number
        parquet.check_column(path, schema, feature.name, accepts, f"{feature.kind} (--context)")
    _check_expressions(path, schema, columns)


def _check_expressions(path: str, schema: pa.Schema, columns: LogColumns) -> None:
    """Evaluates every expression on no rows at all, which shows missing columns and types."""
    empty = {name: pa.nulls(0, _plain(schema.field(name).type)) for name in schema.names}
    try:
        for name, expression in columns.derived.items():
            expression.evaluate(empty)
            empty[name] = pa.nulls(0, pa.float32())
        for expression in columns.expressions[len(columns.derived) :]:
            expression.evaluate(empty)
    except UserInputError as error:
        raise UserInputError(f"{path!r}: {error}") from error


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
