"""Types of texts: what a column of CSV holds, and texts parsed to a type."""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from features.tables.kinds import is_any_list

_LEADING_ZERO = r"^\s*[-+]?0[0-9]"
_INTEGER = r"^\s*[-+]?[0-9]+\s*$"
_ZONE = r"[T ]\d.*(Z|[-+]\d\d(:?\d\d)?)$"


class BadTextError(ValueError):
    """A text that is not of the type.

    Attributes:
      row: its position.
    """

    def __init__(self, row: int, text: bytes, kind: pa.DataType):
        shown = repr(text[:100].decode("utf-8", "backslashreplace"))
        problem = f"is not {kind}"
        if pa.types.is_integer(kind) and re.match(_LEADING_ZERO.encode(), text):
            problem = f"has leading zeros, expected {kind}"
        if pa.types.is_string(kind):
            problem = "is not UTF-8"
        super().__init__(f"{shown} {problem}")
        self.row = row


def parse(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Parses texts to a type.

    Args:
      texts: `[N]` binary, null where there is no value.
      kind: of the result. Texts without a character are null, except as strings.

    Raises:
      BadTextError: the first text that is not of the type.
    """
    try:
        return _parse(texts, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        row = _first_bad(texts, lambda some: _parse(some, kind))
        text = texts[row].as_py() or b""
        raise BadTextError(row, text, kind) from error


def refined(kind: pa.DataType, texts: pa.ChunkedArray) -> pa.DataType:
    """Returns the type of a column, given the one that Arrow infers.

    `00123` is text, as an id that loses its zeros meets none. An integer beyond int64 is not
    rounded. Times of day are text.

    Args:
      kind: as inferred.
      texts: `[N]` binary in chunks, null where there is no value.
    """
    if pa.types.is_null(kind) and texts.null_count < len(texts):
        return pa.string()
    if pa.types.is_time(kind):
        return pa.string()
    if not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
        return kind
    strings = texts.cast(pa.string())
    if _any(strings, _LEADING_ZERO):
        return pa.string()
    if pa.types.is_floating(kind) and _all(strings, _INTEGER):
        try:
            strings.cast(pa.uint64())
            return pa.uint64()
        except pa.ArrowInvalid:
            return pa.string()
    return kind


def _parse(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_binary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return texts.cast(kind)
    strings = pc.utf8_trim_whitespace(texts.cast(pa.string()))
    if is_any_list(kind):
        return _lists(strings, kind)
    strings = pc.if_else(pc.equal(strings, ""), None, strings)
    if pa.types.is_timestamp(kind):
        return _timestamps(strings, kind)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        # Other files of the table have numbers.
        truths = pc.is_in(pc.utf8_lower(strings), pa.array(["true", "false"]))
        digits = pc.if_else(pc.equal(pc.utf8_lower(strings), "true"), "1", "0")
        strings = pc.if_else(truths, digits, strings)
    if pa.types.is_integer(kind) and _any(strings, _LEADING_ZERO):
        raise pa.ArrowInvalid("a leading zero")
    if kind == pa.int64():
        return _integers(strings)
    if pa.types.is_null(kind):
        if strings.null_count < len(strings):
            raise pa.ArrowInvalid("a value")
        return pa.nulls(len(strings))
    return strings.cast(kind)


def _integers(strings: pa.Array) -> pa.Array:
    """Parses integers; one of 2^63 or more is the int64 of the same 64 bits."""
    try:
        return strings.cast(pa.int64())
    except pa.ArrowInvalid:
        large = pc.match_substring_regex(strings, r"^[0-9]{19,}$")
        rest = pc.if_else(large, None, strings).cast(pa.int64())
        bits = pc.if_else(large, strings, None).cast(pa.uint64()).view(pa.int64())
        return pc.coalesce(rest, bits)


def _timestamps(strings: pa.Array, kind: pa.DataType) -> pa.Array:
    """Parses ISO timestamps with and without zone; those without are in UTC."""
    with_zone = pc.match_substring_regex(strings, _ZONE)
    zoned = _instants(pc.if_else(with_zone, strings, None), kind.unit, "UTC")
    plain = _instants(pc.if_else(with_zone, None, strings), kind.unit, None)
    return pc.coalesce(zoned, plain).cast(kind)


def _instants(strings: pa.Array, unit: str, zone: str | None) -> pa.Array:
    """Parses timestamps; digits below the unit are cut off."""
    try:
        return strings.cast(pa.timestamp(unit, zone)).cast(pa.timestamp(unit))
    except pa.ArrowInvalid:
        return strings.cast(pa.timestamp("ns", zone)).cast(pa.timestamp(unit), safe=False)


def _lists(strings: pa.Array, kind: pa.DataType) -> pa.Array:
    """Parses `[0.1, 0.2]` and `0.1 0.2`."""
    inner = pc.utf8_trim(strings, "[]() \t\r\n")
    parts = pc.split_pattern_regex(inner, r"[,\s]+")
    parts = pc.if_else(pc.equal(inner, ""), pa.scalar([], parts.type), parts)
    values = pc.utf8_trim(parts.flatten(), "\"'")
    lengths = pc.fill_null(pc.list_value_length(parts), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    lists = pa.ListArray.from_arrays(offsets, values.cast(kind.value_type), mask=parts.is_null())
    return lists.cast(kind)


def _any(strings: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(strings, pattern)).as_py())


def _all(strings: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(strings, pattern)).as_py())


def _first_bad(texts: pa.Array, attempt: Callable[[pa.Array], pa.Array]) -> int:
    """Returns the position of the first text that an attempt fails on, known to fail on all."""
    good, bad = 0, len(texts)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            attempt(texts.slice(good, middle - good))
            good = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            bad = middle
    return good
