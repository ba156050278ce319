"""Where the records of CSV end: at line breaks that are not inside of quotes."""

import re

import numpy as np
import pyarrow as pa

from features.arrays import Array, Booleans, Integers

_QUOTE, _LINE_FEED, _RETURN = b'"\n\r'
# Bytes that are looked at while they are in the cache.
_CACHED = 1 << 17


def record_ends(data: bytes, delimiter: str) -> Integers:
    r"""Returns the positions behind the records that end in some bytes.

    A quote opens a value only where a value begins, as Arrow has it. A line ends in `\n`, `\r\n`
    or `\r`; one in `\r` at the end of the bytes is left out, because `\n` may follow.

    >>> record_ends(b'1,"a\nb"\n2,5"\n3', ",")
    array([ 8, 13])

    Raises:
      pa.ArrowInvalid: quotes are escaped by a backslash, which other readers take for their end.
    """
    values = np.frombuffer(data, np.uint8)
    breaks = np.flatnonzero(values == _LINE_FEED)
    if b"\r" in data:
        returns = np.flatnonzero(values[:-1] == _RETURN)
        alone = returns[values[returns + 1] != _LINE_FEED]
        if len(alone):
            breaks = np.union1d(breaks, alone)
    if b'"' in data:
        breaks = breaks[~_inside_quotes(data, values, breaks, delimiter)]
    return breaks + 1


def leading_zeros(data: bytes, delimiter: str) -> bool:
    """Whether some value may be an integer that begins with a zero; quick, and never False then.

    >>> leading_zeros(b"1,0.5,0,100", ","), leading_zeros(b"1,007", ",")
    (False, True)
    """
    border = np.zeros(256, np.bool_)
    border[[_QUOTE, _LINE_FEED, _RETURN, ord(delimiter)]] = True
    inner = border.copy()
    inner[[*b" \t+-"]] = True
    values = np.frombuffer(b"\n\n" + data + b"\n", np.uint8)
    for start in range(0, len(data), _CACHED):
        part = values[start : start + _CACHED + 3]
        # Digits are 48 to 57; smaller bytes wrap around. Most zeros stand within numbers.
        digits = part - np.uint8(48) < 10
        zeros = np.flatnonzero((part[2:-1] == ord("0")) & (digits[3:] > digits[1:-2])) + 2
        before, before_that = part[zeros - 1], part[zeros - 2]
        if np.any(border[before] | (inner[before] & inner[before_that])):
            return True
    return False


def _inside_quotes(data: bytes, values: Array, breaks: Integers, delimiter: str) -> Booleans:
    """Returns which line breaks are inside of quotes."""
    quotes = np.flatnonzero(values == _QUOTE)
    opening = quotes[::2]
    before = values[opening[opening > 0] - 1]
    borders = [_LINE_FEED, _RETURN, ord(delimiter)]
    # A pair of quotes within quotes closes and opens again.
    if np.isin(before, [_QUOTE, *borders]).all():
        parity: Booleans = np.searchsorted(quotes, breaks) % 2 == 1
        return parity
    # Quotes stand within values that are not quoted, or are escaped in another way.
    character = re.escape(delimiter.encode())
    quoted = re.compile(rb'(?<![^%s\n\r])"(?:[^"]++|"")*+(?:"|\Z)' % character)
    spans = np.array([match.span() for match in quoted.finditer(data)], np.int64).reshape(-1, 2)
    starts, ends = spans.T
    closed = ends[ends < len(data)]
    escaped = (values[closed - 2] == ord("\\")) & ~np.isin(values[closed], borders)
    if escaped.any():
        end = int(closed[escaped][0])
        raise pa.ArrowInvalid(
            f"{data[max(end - 20, 0) : end + 10]!r} escapes a quote by a backslash, expected two "
            "quotes. Write it with quotes doubled (Spark: escape='\"')"
        )
    inside: Booleans = np.searchsorted(starts, breaks) > np.searchsorted(ends, breaks, "right")
    return inside
