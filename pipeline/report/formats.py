"""Numbers as text, and access to nested data that may lack a part."""

import math
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

MISSING = "–"

_LARGEST = sys.float_info.max

Formatted = Callable[[Mapping[str, Any]], str]
"""Returns one value of a mapping as text."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_MODEL_NAMES = {
    "dmf": "DMF",
    "id_only": "ID-only",
    "early_fusion": "Early fusion",
    "dmf_materialized": "DMF, materialized",
    "validation": "Validation",
    "test": "Test",
}


def dig(data: Any, *keys: str) -> Any:
    """Returns the value under nested keys, or None where one is absent.

    >>> dig({"a": {"b": 1}}, "a", "b"), dig({"a": None}, "a", "b")
    (1, None)
    """
    for key in keys:
        if not isinstance(data, Mapping):
            return None
        data = data.get(key)
    return data


def mapping(data: Any, *keys: str) -> Mapping[str, Any]:
    """Returns the mapping under nested keys, empty where there is none."""
    value = dig(data, *keys)
    return value if isinstance(value, Mapping) else {}


def mappings(data: Any, *keys: str) -> dict[str, Mapping[str, Any]]:
    """Returns the mappings by name under nested keys; what is no mapping is empty."""
    return {name: mapping(data, *keys, name) for name in mapping(data, *keys)}


def records(data: Any, *keys: str) -> list[Mapping[str, Any]]:
    """Returns the mappings in the list under nested keys, empty where there is none."""
    value = dig(data, *keys)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def number(data: Any, *keys: str) -> float | None:
    """Returns the finite number under nested keys, or None."""
    value = dig(data, *keys)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # A float has no place for an integer of more than 308 digits.
    return value if -_LARGEST <= value <= _LARGEST else None


def numbers(data: Any, *keys: str) -> dict[str, float]:
    """Returns the finite numbers by name in the mapping under nested keys."""
    values = mapping(data, *keys)
    return {name: value for name in values if (value := number(values, name)) is not None}


def cell(text: Callable[..., str], *keys: str, **options: Any) -> Formatted:
    """Returns a function that formats the number under nested keys of what it is given.

    >>> cell(percent, "rows", "share", digits=1)({"rows": {"share": 0.5}})
    '50.0%'
    """
    return lambda one: text(number(one, *keys), **options)


def total(value: Any) -> int | None:
    """Returns a count, or the sum of counts by reason; None where there is neither.

    >>> total(3), total({"duplicate": 2, "null id": 1}), total({}), total(None)
    (3, 3, 0, None)
    """
    if isinstance(value, Mapping):
        return sum(total(one) or 0 for one in value.values())
    return int(value) if isinstance(value, (int, float)) else None


def difference(first: float | None, second: float | None) -> float | None:
    """Returns `first - second`, or None where one is missing."""
    return None if first is None or second is None else first - second


def count(value: float | None) -> str:
    """Formats a count: `1,200`."""
    return MISSING if value is None else f"{round(value):,}"


def fixed(value: float | None, digits: int = 4) -> str:
    """Formats with a fixed number of digits: `0.8232`."""
    return MISSING if value is None else f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 4) -> str:
    """Formats a difference with its sign: `+0.0093`."""
    if value is None:
        return MISSING
    text = f"{value:+.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


def percent(value: float | None, digits: int = 0) -> str:
    """Formats a share; a share that would round to 0% or 100% is shown as below or above it.

    >>> percent(0.5), percent(0.0004), percent(0), percent(0.9999)
    ('50%', '<1%', '0%', '>99%')
    """
    if value is None:
        return MISSING
    smallest = 10.0**-digits
    if 0 < 100 * value < smallest / 2:
        return f"<{smallest:g}%"
    if 0 < 100 * (1 - value) < smallest / 2:
        return f">{100 - smallest:g}%"
    return f"{100 * value:.{digits}f}%"


def significant(value: float | None, digits: int = 3) -> str:
    """Formats with significant digits: `12.4`, `0.0312`, `53,200`, `3.6 × 10⁻⁷`."""
    if value is None:
        return MISSING
    if value and abs(value) < 1e-3:
        mantissa, exponent = f"{value:.{min(digits, 2) - 1}e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}".replace("-", "−")
    decimals = digits - 1 - math.floor(math.log10(abs(value))) if value else 0
    return f"{round(value, decimals):,.{max(decimals, 0)}f}".replace("-", "−")


def duration(seconds: float | None) -> str:
    """Formats a wall time.

    >>> duration(0.42), duration(75), duration(7260)
    ('0.42 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds is None:
        return MISSING
    if seconds < 59.5:
        return f"{significant(seconds, 2 if seconds < 10 else 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def date(microseconds: float | None, text: str = "%Y-%m-%d") -> str:
    """Formats a time stamp in UTC, by default its day."""
    if microseconds is None:
        return MISSING
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC).strftime(text)


def moment(microseconds: float | None) -> str:
    """Formats a time stamp's minute in UTC."""
    return date(microseconds, "%m-%d %H:%M")


def short_count(value: float) -> str:
    """Formats a count for an axis.

    >>> short_count(512), short_count(4096), short_count(2_097_152)
    ('512', '4.1k', '2.1M')
    """
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{significant(value / size, 2)}{unit}"
    return f"{value:g}"


def model_name(key: str) -> str:
    """Returns the name of a model, or of a split that one was scored on, for people."""
    return _MODEL_NAMES.get(key, key)


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Returns nested values as dotted names and texts.

    >>> flat({"a": {"b": 1, "c": [1, 2]}})
    [('a.b', '1'), ('a.c', '1, 2')]
    """
    if isinstance(value, Mapping) and value:
        start = f"{prefix}." if prefix else ""
        return [pair for key, one in value.items() for pair in flat(one, f"{start}{key}")]
    if isinstance(value, (list, tuple)):
        return [(prefix, ", ".join(str(one) for one in value) or MISSING)]
    return [(prefix, MISSING if value is None or value == {} else str(value))]
