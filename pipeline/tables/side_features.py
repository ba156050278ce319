"""Item and user columns as dense arrays, ready for a look-up by id."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from absl import logging

from features.errors import UserInputError
from features.files import checked
from features.ids import hashing
from features.schema import SideFeature
from features.tables import kinds
from features.tables.names import feature_name
from features.tables.options import DEFAULT, TableOptions
from features.tables.table import Table, open_table
from pipeline.tables.ids import same_kind

Kind = Literal["categorical", "numeric"]

_LARGEST_DEFAULT_WIDTH = 16


@dataclasses.dataclass(frozen=True)
class SideTable:
    """Side features by id.

    The last row, N, is all zero and stands for unknown ids.

    Attributes:
      ids: `[N]` int64, strictly ascending.
      features: what the columns are.
      values: `[N + 1, K]` int64 or float32 by feature name.
      inputs: the files' fingerprints.
      rejected: rows left out because their id is null or appeared before.
      not_finite: numeric values that were NaN or infinite and count as missing.
      table: the files; None where there are none.
    """

    ids: np.ndarray
    features: tuple[SideFeature, ...] = ()
    values: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    inputs: tuple[dict[str, object], ...] = ()
    rejected: int = 0
    not_finite: int = 0
    table: Table | None = None


EMPTY = SideTable(np.zeros(0, np.int64))


def read_side_table(
    locations: Sequence[str],
    id_name: str,
    selected: tuple[str, ...] | None,
    log_kind: dict[str, pa.DataType],
    options: TableOptions = DEFAULT,
    check_names: Callable[[tuple[str, ...]], None] = lambda names: None,
) -> SideTable:
    """Reads the side features of items or users.

    Args:
      locations: folders, files or globs; empty for no features.
      id_name: `item_id` or `user_id`.
      selected: `name[:kind[:width]]`; None for every column that fits.
      log_kind: the type of the log's id column by file.
      options: how tables are read.
      check_names: called with the features' names before anything is read.

    Raises:
      UserInputError: a file or column is missing, unreadable or of another type.
    """
    if not locations:
        return EMPTY
    flag = "items" if id_name == "item_id" else "users"
    table = open_table(locations, flag, options)
    column = table.column(id_name, kinds.is_id, "int64 or string")
    same_kind({**log_kind, column.path: table.reader.kinds[id_name]}, id_name)
    specs = _default_specs(table, id_name) if selected is None else selected
    check_names(tuple(_parse_spec(spec)[0] for spec in specs))
    for spec in specs:
        _check_column(table, _parse_spec(spec)[0])
    names = dict.fromkeys([id_name, *(_parse_spec(spec)[0] for spec in specs)])
    rows = table.read(tuple(names)).combine_chunks()
    ids, first, rejected = _distinct_ids(rows[id_name])
    features, values, not_finite = [], {}, 0
    for spec in specs:
        feature, column = _feature(table, spec, rows)
        dense, bad = _dense(column.take(pa.array(first)), feature)
        features.append(feature)
        values[feature.name] = dense
        not_finite += bad
    inputs = tuple(
        # A footer does not say whether values are the same.
        {**fingerprint, "sha256": fingerprint.get("sha256") or checked.sha256(path)}
        for path, fingerprint in zip(table.paths, table.fingerprints, strict=True)
    )
    return SideTable(ids, tuple(features), values, inputs, rejected, not_finite, table)


def scalar_feature(table: Table, spec: str) -> SideFeature:
    """Returns the feature that a column of single values makes; `spec` is `name[:kind]`.

    Raises:
      UserInputError: there is no such column, or it holds something else.
    """
    name, kind, width = _parse_spec(spec)
    expected = "a string, an integer, a float or a boolean"
    table.column(name, _is_scalar, expected, everywhere=False)
    if width not in (None, 1):
        raise UserInputError(f"Context column {spec!r} holds one value; its width is 1.")
    return SideFeature(name, kind or _default_kind(table.reader.kinds[name]), 1)


def _parse_spec(spec: str) -> tuple[str, Kind | None, int | None]:
    text, _, rest = spec.strip().partition(":")
    kind, _, width = rest.partition(":")
    name = feature_name(text)
    if not name or kind not in ("", *get_args(Kind)):
        raise UserInputError(
            f"Feature {spec!r} must be name[:categorical|numeric[:width]], with a name that has "
            "a letter of a-z."
        )
    if width and not (width.isdigit() and int(width)):
        raise UserInputError(f"Feature {spec!r}: the width must be a positive whole number.")
    return name, cast(Kind, kind) if kind else None, int(width) if width else None


def _default_specs(table: Table, id_name: str) -> tuple[str, ...]:
    fitting = []
    for name, column in table.schema.columns.items():
        fits = column.kind is not None and _is_scalar(kinds.element(column.kind))
        if name == id_name:
            continue
        # One that is there twice, or in two types, is not left out without a word.
        if fits or column.problem:
            fitting.append(name)
        else:
            logging.info("Column %r (%s) is no side feature: left out.", name, column.received)
    return tuple(fitting)


def _check_column(table: Table, name: str) -> None:
    expected = "strings, integers, floats or booleans, or lists of them"
    table.column(name, lambda kind: _is_scalar(kinds.element(kind)), expected, everywhere=False)


def _feature(table: Table, spec: str, rows: pa.Table) -> tuple[SideFeature, pa.Array]:
    name, kind, width = _parse_spec(spec)
    column = rows[name].combine_chunks()
    element = kinds.element(column.type)
    kind = kind or _default_kind(element)
    fits = kinds.is_id(element) if kind == "categorical" else not kinds.is_text(element)
    if not fits:
        wanted, other = {
            "numeric": ("numbers", "categorical"),
            "categorical": ("strings or integers", "numeric"),
        }[kind]
        where = table.schema.columns[name].path
        raise UserInputError(
            f"{where!r}: column {name!r} is {column.type}, expected {wanted} for a {kind} "
            f"feature. Use {name}:{other}."
        )
    if width is None:
        is_list = kinds.is_list(column.type)
        longest = pc.max(pc.list_value_length(column)).as_py() if is_list else 1
        width = min(max(longest or 1, 1), _LARGEST_DEFAULT_WIDTH)
    return SideFeature(name, kind, width), column


def _default_kind(kind: pa.DataType) -> Kind:
    return "categorical" if kinds.is_id(kind) else "numeric"


def _is_scalar(kind: pa.DataType) -> bool:
    return kinds.is_id(kind) or kinds.is_number(kind)


def _distinct_ids(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns the distinct ids ascending, the row of each one's first appearance, and the rest."""
    valid = np.flatnonzero(column.is_valid().to_numpy())
    ids, first = np.unique(hashing.ids_of_column(column.drop_null()), return_index=True)
    return ids, valid[first], len(column) - len(ids)


def _dense(column: pa.Array, feature: SideFeature) -> tuple[np.ndarray, int]:
    """Returns `[N + 1, K]` values, padded with 0, and how many were not finite."""
    count = len(column)
    if kinds.is_list(column.type):
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
        flat = pc.list_flatten(column)
    else:
        lengths, flat = np.ones(count, np.int64), column
    known = flat.is_valid().to_numpy(zero_copy_only=False)
    present = flat.drop_null()
    not_finite = 0
    if feature.kind == "categorical":
        values = np.zeros(len(flat), np.int64)
        values[known] = hashing.ids_of_column(present)
    else:
        values = np.zeros(len(flat), np.float32)
        values[known] = present.to_numpy(zero_copy_only=False).astype(np.float32)
        not_finite = int((~np.isfinite(values)).sum())
        values = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    rows = np.repeat(np.arange(count), lengths)
    positions = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    inside = positions < feature.width
    dense = np.zeros((count + 1, feature.width), values.dtype)
    dense[rows[inside], positions[inside]] = values[inside]
    return dense, not_finite
