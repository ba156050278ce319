"""The inputs of a join, opened and checked before anything is written."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from features import id_kinds
from features.embeddings import embedding_files
from features.embeddings.embedding_files import EmbeddingFiles
from features.errors import UserInputError
from features.id_kinds import IdKinds
from features.records import running_statistics
from features.schema import ExampleSchema, Modality
from features.tables.renames import check_renames_used
from features.tables.table import Table
from pipeline.embedding_sets import embedding_inputs
from pipeline.join.inputs import given_histories
from pipeline.join.inputs.event_log import EventLog, ReadUnit, open_label_logs, open_log
from pipeline.join.inputs.given_histories import GivenHistories
from pipeline.join.inputs.time_unit_check import check_available_at
from pipeline.join.options import JoinOptions
from pipeline.tables.side_features import SideTable, read_side_table


@dataclasses.dataclass(frozen=True)
class JoinInputs:
    """Opened inputs.

    Attributes:
      log: the behavior log.
      label_logs: logs whose rows set labels.
      histories: given behavior sequences.
      items: item side features.
      users: user side features.
      embeddings: each modality's files.
      schema: of the records.
    """

    log: EventLog
    label_logs: tuple[EventLog, ...]
    histories: GivenHistories
    items: SideTable
    users: SideTable
    embeddings: dict[str, EmbeddingFiles]
    schema: ExampleSchema

    @property
    def rows(self) -> int:
        """Rows of the log and of the labels' own logs."""
        return self.log.events + sum(one.events for one in self.label_logs)

    @property
    def units(self) -> tuple[ReadUnit, ...]:
        """Row groups of the log, the labels' own logs and the histories, in order."""
        label_units = (unit for one in self.label_logs for unit in one.units)
        return (*self.log.units, *label_units, *self.histories.units)

    @property
    def tables(self) -> tuple[tuple[Table, tuple[str, ...]], ...]:
        """The tables, each with the columns that are read."""
        logs = (self.log, *self.label_logs)
        found = [(log.table, log.columns.read) for log in logs]
        if self.histories.table is not None:
            found.append((self.histories.table, given_histories.COLUMNS))
        for side, id_name in ((self.items, "item_id"), (self.users, "user_id")):
            if side.table is not None:
                found.append((side.table, (id_name, *(one.name for one in side.features))))
        sets = ((one.table, embedding_files.COLUMNS) for one in self.embeddings.values())
        return (*found, *sets)

    @property
    def renamed(self) -> dict[str, dict[str, str | list[str]]]:
        """The files' own names of columns that are read under another one, by table and ours."""
        by_table = {table.flag: table.renamed(names) for table, names in self.tables}
        return {flag: names for flag, names in by_table.items() if names}

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Checks after a block that all files are those that were opened.

        Raises:
          UserInputError: one was written, replaced or removed meanwhile.
        """
        with contextlib.ExitStack() as stack:
            for table, _ in self.tables:
                stack.enter_context(table.unchanged())
            yield

    @functools.cached_property
    def fingerprints(self) -> dict[str, Any]:
        """Fingerprints of all inputs, for the manifest."""
        return {
            "events": list(self.log.inputs),
            "label_logs": {one.source: list(one.inputs) for one in self.label_logs},
            "histories": list(self.histories.inputs),
            "items": list(self.items.inputs),
            "users": list(self.users.inputs),
            "embeddings": {
                name: embedding_inputs.fingerprints(one) for name, one in self.embeddings.items()
            },
        }


def open_inputs(options: JoinOptions) -> JoinInputs:
    """Opens and checks every input.

    Raises:
      UserInputError: a file is missing or unreadable, lacks a column or holds it in another type,
        or the record's names or widths do not fit together.
    """
    log = open_log(options)
    names = options.feature_names
    items = read_side_table(
        options.items,
        "item_id",
        options.item_features,
        log.item_kind,
        options.tables,
        lambda columns: dataclasses.replace(names, items=columns).check(),
    )
    users = read_side_table(
        options.users,
        "user_id",
        options.user_features,
        log.user_kind,
        options.tables,
        lambda columns: dataclasses.replace(names, users=columns).check(),
    )
    embeddings = embedding_inputs.open_all(options.embeddings, options.tables, log.item_kind)
    for files in embeddings.values():
        check_available_at(files, log.first_times)
    inputs = JoinInputs(
        log=log,
        label_logs=open_label_logs(options, log),
        histories=given_histories.open_histories(options, log.user_kind, log.item_kind),
        items=items,
        users=users,
        embeddings=embeddings,
        schema=_schema(options, log, items, users, embeddings),
    )
    check_renames_used(options.tables, (table for table, _ in inputs.tables))
    return inputs


def _schema(
    options: JoinOptions,
    log: EventLog,
    items: SideTable,
    users: SideTable,
    embeddings: dict[str, EmbeddingFiles],
) -> ExampleSchema:
    """Returns the schema of the records."""
    carried = options.candidate_embeddings
    item_features = items.features
    context_features = log.columns.context + users.features
    if options.statistics:
        item_features += (running_statistics.item_feature(options.statistics),)
        context_features += (running_statistics.context_feature(options.statistics),)
    try:
        return ExampleSchema(
            labels=options.resolved_labels,
            modalities=tuple(
                Modality(name, files.dimension, carried is None or name in carried)
                for name, files in embeddings.items()
            ),
            history_length=options.history_length,
            behavior_types=options.behavior_types,
            item_features=item_features,
            context_features=context_features,
            downsampling=options.downsampling,
            weighted=options.weight_column is not None,
            positioned=options.position_column is not None,
            id_kinds=IdKinds(_kind(log.item_kind), _kind(log.user_kind)),
        )
    except ValidationError as error:
        raise UserInputError(f"The record cannot have these features: {error}") from error


def _kind(types: Mapping[str, pa.DataType]) -> id_kinds.Kind:
    """Returns the kind of ids of these types, by file, which the pre-flight found alike."""
    return id_kinds.of_type(next(iter(types.values())))
