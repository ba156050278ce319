"""Item and user columns as dense arrays, ready for a look-up by id."""

import dataclasses
import re
from collections.abc import Callable
from typing import Literal, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from absl import logging

from features.errors import UserInputError
from features.files import manifest
from features.ids import hashing
from features.schema import SideFeature
from pipeline.tables import parquet

Kind = Literal["categorical", "numeric"]

_LARGEST_DEFAULT_WIDTH = 16
_NAME = re.compile(r"^[a-z][a-z0-9_]*$")


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
    """

    ids: np.ndarray
    features: tuple[SideFeature, ...] = ()
    values: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    inputs: tuple[dict[str, object], ...] = ()
    rejected: int = 0
    not_finite: int = 0


EMPTY = SideTable(np.zeros(0, np.int64))


def read_side_table(
    location: str | None,
    id_name: str,
    selected: tuple[str, ...] | None,
    log_kind: dict[str, pa.DataType],
    check_names: Callable[[tuple[str, ...]], None] = lambda names: None,
) -> SideTable:
    """Reads the side features of items or users.

    Args:
      location: a folder of Parquet files or one file; None for no features.
      id_name: `item_id` or `user_id`.
      selected: `name[:kind[:width]]`; None for every column that fits.
      log_kind: the type of the log's id column by file.
      check_names: called with the features' names before anything is read.

    Raises:
      UserInputError: a file or column is missing, unreadable or of another type.
    """
    if location is None:
        return EMPTY
    flag = "items" if id_name == "item_id" else "users"
    files = parquet.open_files(location, flag)
    for path, file in files.items():
        schema = file.schema_arrow
        parquet.check_column(path, schema, id_name, parquet.is_id, "int64 or string")
        parquet.same_kind({**log_kind, path: schema.field(id_name).type}, id_name)
    path, file = next(iter(files.items()))
    schema = file.schema_arrow
    specs = _default_specs(schema, id_name) if selected is None else selected
    check_names(tuple(_parse_spec(spec)[0] for spec in specs))
    tables = [file.read() for file in files.values()]
    try:
        table = pa.concat_tables(tables).combine_chunks().unify_dictionaries()
    except pa.ArrowInvalid as error:
        raise UserInputError(f"--{flag}: the files of {location!r} differ: {error}") from error
    ids, first, rejected = _distinct_ids(table[id_name])
    features, values, not_finite = [], {}, 0
    for spec in specs:
        feature, column = _feature(path, schema, spec, table)
        dense, bad = _dense(column.take(pa.array(first)), feature)
        features.append(feature)
        values[feature.name] = dense
        not_finite += bad
    inputs = tuple(
        {**parquet.footer_fingerprint(path), "sha256": manifest.file_sha256(path)} for path in files
    )
    return SideTable(ids, tuple(features), values, inputs, rejected, not_finite)


def scalar_feature(path: str, schema: pa.Schema, spec: str) -> SideFeature:
    """Returns the feature that a column of single values makes; `spec` is `name[:kind]`.

    Raises:
      UserInputError: there is no such column, or it holds something else.
    """
    name, kind, width = _parse_spec(spec)
    expected = "a string, an integer, a float or a boolean"
    parquet.check_column(path, schema, name, _is_scalar, expected)
    if width not in (None, 1):
        raise UserInputError(f"Context column {spec!r} holds one value; its width is 1.")
    return SideFeature(name, kind or _default_kind(schema.field(name).type), 1)


def _parse_spec(spec: str) -> tuple[str, Kind | None, int | None]:
    name, _, rest = spec.strip().partition(":")
    kind, _, width = rest.partition(":")
    if not _NAME.match(name) or kind not in ("", *get_args(Kind)):
        raise UserInputError(
            f"Feature {spec!r} must be name[:categorical|numeric[:width]], with a name of a-z, 0-9 "
            "and _ that begins with a-z."
        )
    if width and not (width.isdigit() and int(width)):
        raise UserInputError(f"Feature {spec!r}: the width must be a positive whole number.")
    return name, cast(Kind, kind) if kind else None, int(width) if width else None


def _default_specs(schema: pa.Schema, id_name: str) -> tuple[str, ...]:
    others = [field for field in schema if field.name != id_name]
    fitting = [f for f in others if _is_scalar(_element(f.type)) and _NAME.match(f.name)]
    for field in others:
        if field not in fitting:
            logging.info("Column %r (%s) is no side feature: left out.", field.name, field.type)
    return tuple(field.name for field in fitting)


def _feature(
    path: str, schema: pa.Schema, spec: str, table: pa.Table
) -> tuple[SideFeature, pa.Array]:
    name, kind, width = _parse_spec(spec)
    expected = "strings, integers, floats or booleans, or lists of them"
    parquet.check_column(path, schema, name, lambda kind: _is_scalar(_element(kind)), expected)
    column = parquet.decoded(table[name].combine_chunks())
    element = _element(column.type)
    kind = kind or _default_kind(element)
    fits = parquet.is_id(element) if kind == "categorical" else not parquet.is_text(element)
    if not fits:
        wanted, other = {
            "numeric": ("numbers", "categorical"),
            "categorical": ("strings or integers", "numeric"),
        }[kind]
        raise UserInputError(
            f"{path!r}: column {name!r} is {column.type}, expected {wanted} for a {kind} feature. "
            f"Use {name}:{other}."
        )
    if width is None:
        is_list = parquet.is_list(column.type)
        longest = pc.max(pc.list_value_length(column)).as_py() if is_list else 1
        width = min(max(longest or 1, 1), _LARGEST_DEFAULT_WIDTH)
    return SideFeature(name, kind, width), column


def _default_kind(kind: pa.DataType) -> Kind:
    return "categorical" if parquet.is_id(kind) else "numeric"


def _is_scalar(kind: pa.DataType) -> bool:
    return parquet.is_id(kind) or parquet.is_number(kind)


def _element(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if parquet.is_list(kind) else kind


def _distinct_ids(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns the distinct ids ascending, the row of each one's first appearance, and the rest."""
    valid = np.flatnonzero(column.is_valid().to_numpy())
    ids, first = np.unique(hashing.ids_of_column(column.drop_null()), return_index=True)
    return ids, valid[first], len(column) - len(ids)


def _dense(column: pa.Array, feature: SideFeature) -> tuple[np.ndarray, int]:
    """Returns `[N + 1, K]` values, padded with 0, and how many were not finite."""
    count = len(column)
    if parquet.is_list(column.type):
        column = column.cast(pa.list_(column.type.value_type))
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
