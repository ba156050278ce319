"""Types: which there are, and the one type that each is read as.

Writers have many types for the same values. Integers of every width are read as int64, texts of
every encoding as string, lists of every layout as lists. A uint64 of 2^63 or more is the int64 of
the same 64 bits. Timestamps of every unit and zone, and dates, are microseconds of UTC.
"""

import functools
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.time_units import PER_SECOND

TIMESTAMP = pa.timestamp("us")
_MICROSECONDS_A_DAY = 86_400_000_000


def is_text(kind: pa.DataType) -> bool:
    """Whether a type holds strings or bytes, dictionary-encoded or not."""
    return _is_bytes(canonical(kind))


def is_integer(kind: pa.DataType) -> bool:
    """Whether a type holds integers."""
    return bool(canonical(kind) == pa.int64())


def is_id(kind: pa.DataType) -> bool:
    """Whether a type can hold ids."""
    return is_text(kind) or is_integer(kind)


def is_time(kind: pa.DataType) -> bool:
    """Whether a type can hold timestamps: integers with a unit, timestamps, dates, ISO texts."""
    found = canonical(kind)
    return found is not None and (found in (pa.int64(), TIMESTAMP, pa.string()))


def is_list(kind: pa.DataType) -> bool:
    """Whether a type holds lists, of one length or of any."""
    found = canonical(kind)
    return found is not None and pa.types.is_list(found)


def is_number(kind: pa.DataType) -> bool:
    """Whether a type holds numbers or booleans."""
    found = canonical(kind)
    return found is not None and (
        found == pa.int64() or pa.types.is_floating(found) or pa.types.is_boolean(found)
    )


def is_null(kind: pa.DataType) -> bool:
    """Whether a type holds nothing: the column is null in every row."""
    return bool(pa.types.is_null(kind))


def element(kind: pa.DataType) -> pa.DataType:
    """Returns the type of a list's elements, or the type itself."""
    found = canonical(kind)
    return found.value_type if found is not None and pa.types.is_list(found) else kind


@functools.lru_cache(maxsize=256)
def canonical(kind: pa.DataType) -> pa.DataType | None:
    """Returns the type that a column is read as; None for one that nothing here reads."""
    types = pa.types
    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return canonical(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return canonical(kind.value_type)
    if types.is_null(kind) or types.is_boolean(kind) or kind in (pa.float32(), pa.float64()):
        return kind
    if types.is_integer(kind):
        return pa.int64()
    if types.is_float16(kind):
        return pa.float32()
    if types.is_decimal(kind):
        return pa.float64() if kind.scale > 0 else pa.int64()
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return pa.string()
    if (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    ):
        return pa.binary()
    if types.is_timestamp(kind) or types.is_date(kind):
        return TIMESTAMP
    if is_any_list(kind):
        found = canonical(kind.value_type)
        return None if found is None or types.is_list(found) else pa.list_(found)
    return None


def unified(kinds: Iterable[pa.DataType], from_text: bool = False) -> pa.DataType | None:
    """Returns the one type that holds the values of several canonical types; None for no type.

    Args:
      kinds: canonical.
      from_text: the values are texts of CSV, which may all be read as strings.
    """
    distinct = {kind for kind in kinds if not is_null(kind)}
    if not distinct:
        return pa.null()
    if len(distinct) == 1:
        return next(iter(distinct))
    if all(map(_is_bytes, distinct)):
        return pa.binary()
    if all(pa.types.is_list(kind) for kind in distinct):
        inner = unified(kind.value_type for kind in distinct)
        return None if inner is None else pa.list_(inner)
    if all(is_number(kind) for kind in distinct):
        return pa.float64() if any(map(pa.types.is_floating, distinct)) else pa.int64()
    if from_text and pa.string() in distinct and not any(map(pa.types.is_list, distinct)):
        return pa.string()
    return None


def converted(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Returns a column in a canonical type that holds its values.

    Args:
      column: `[N]`, of a type whose canonical type goes into `kind`.
      kind: canonical.

    Raises:
      pa.ArrowInvalid: a value does not fit, such as a decimal above 2^63.
    """
    own = column.type
    if own == kind:
        return column
    if isinstance(own, pa.UuidType):
        return _uuid_texts(column).cast(kind)
    if isinstance(own, pa.BaseExtensionType):
        return converted(column.storage, kind)
    if pa.types.is_dictionary(own):
        return converted(column.dictionary_decode(), kind)
    if pa.types.is_run_end_encoded(own):
        return converted(pc.run_end_decode(column), kind)
    if pa.types.is_null(own):
        return pa.nulls(len(column), kind)
    if is_any_list(own):
        return _lists(column, kind)
    if own == pa.uint64() and kind == pa.int64():
        return column.view(pa.int64())
    if pa.types.is_float16(own):
        return converted(column.cast(pa.float32()), kind)
    if pa.types.is_timestamp(own) or pa.types.is_date(own):
        return _microseconds(column).cast(kind)
    if _is_bytes(canonical(own)) and kind == pa.string() and canonical(own) == pa.binary():
        return column.cast(pa.binary()).cast(kind)
    if pa.types.is_boolean(own) and pa.types.is_floating(kind):
        return column.cast(pa.int8()).cast(kind)
    # An integer above 2^53 is rounded, as in every other float.
    return column.cast(kind, safe=not pa.types.is_floating(kind))


def _is_bytes(kind: pa.DataType | None) -> bool:
    return kind is not None and kind in (pa.string(), pa.binary())


def is_any_list(kind: pa.DataType) -> bool:
    """Whether a type holds lists of any layout, whatever their elements."""
    types = pa.types
    checks = (
        types.is_list,
        types.is_large_list,
        types.is_fixed_size_list,
        types.is_list_view,
        types.is_large_list_view,
    )
    return any(check(kind) for check in checks)


def _lists(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Returns lists of any layout as plain ones."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.append(0, np.cumsum(lengths)).astype(np.int32)
    values = converted(pc.list_flatten(column), kind.value_type)
    missing = column.is_null() if column.null_count else None
    return pa.ListArray.from_arrays(offsets, values, type=kind, mask=missing)


def _microseconds(column: pa.Array) -> pa.Array:
    """Returns timestamps and dates in UTC; those outside int64 as the nearest that fits."""
    own = column.type
    if pa.types.is_date32(own):
        values, per_second = column.cast(pa.int32()).cast(pa.int64()), None
    elif pa.types.is_date64(own):
        values, per_second = column.cast(pa.int64()), PER_SECOND["ms"]
    else:
        values = column.cast(pa.timestamp(own.unit)).cast(pa.int64())
        per_second = PER_SECOND[own.unit]
    if per_second == PER_SECOND["ns"]:
        return pc.divide(values, 1_000).cast(TIMESTAMP)
    factor = _MICROSECONDS_A_DAY if per_second is None else 1_000_000 // per_second
    most = (1 << 62) // factor
    capped = pc.max_element_wise(values, -most, skip_nulls=False)
    capped = pc.min_element_wise(capped, most, skip_nulls=False)
    return pc.multiply(capped, factor).cast(TIMESTAMP)


def _uuid_texts(column: pa.Array) -> pa.Array:
    """Returns UUIDs as they are written, `8-4-4-4-12` hexadecimal digits."""
    texts = [None if value is None else str(value) for value in column.to_pylist()]
    return pa.array(texts, pa.string())
