"""The log's columns, and how its events are spread over users and items."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Cell, Figure, Section, Table

_MUCH_MISSING = 0.05
_NAMES = 8
_LATEST = 253_402_300_800_000_000
"""The year 10000, microseconds since 1970: no date has it."""


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None without statistics of a log."""
    columns = formats.mappings(data, "statistics", "log", "columns")
    if not columns:
        return None
    blocks = [_table(columns), _activity(columns)]
    return Section.of("log", "Log", "What do the columns of the log hold?", blocks)


def _table(columns: Mapping[str, Mapping[str, Any]]) -> Table:
    return Table.of(
        "Column",
        columns.items(),
        {
            "Type": lambda one: str(one.get("type")),
            "Missing": _missing,
            "Distinct": formats.cell(formats.count, "distinct"),
            "Least": _quantile(0.0),
            "Median": _quantile(0.5),
            "Most": _quantile(1.0),
            "Most frequent": _frequent,
        },
        "Columns",
    )


def _missing(one: Mapping[str, Any]) -> Cell | str:
    nulls, rows = formats.number(one, "nulls"), formats.number(one, "rows")
    if nulls is None or not rows:
        return formats.MISSING
    text = formats.percent(nulls / rows, 1)
    return Cell(text, "bad") if nulls / rows > _MUCH_MISSING else text


def _quantile(share: float) -> formats.Formatted:
    def text(one: Mapping[str, Any]) -> str:
        value = dict(one.get("quantiles") or []).get(share)
        if one.get("kind") == "time" and value is not None and 0 <= value < _LATEST:
            return formats.date(value, "%Y-%m-%d %H:%M")
        whole = value is not None and float(value).is_integer() and abs(value) < 2**53
        return f"{value:.0f}".replace("-", "−") if whole else formats.significant(value)

    return text


def _frequent(one: Mapping[str, Any]) -> str:
    rows = (one.get("rows") or 0) - (one.get("nulls") or 0)
    top = one.get("top") or []
    if not rows or not top or top[0][1] == 1:
        return formats.MISSING
    value, most = top[0]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    short = text if len(text) <= 24 else f"{text[:21]}..."
    return f"{short}, {formats.percent(most / rows, 1)}"


def _activity(columns: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    drawings = []
    for name, what in (("user_id", "users"), ("item_id", "items")):
        one = columns.get(name, {})
        if groups := one.get("rows_per_id"):
            bars = [
                (
                    f"{formats.short_count(least)}+" if most > least else str(least),
                    rows,
                    f"{ids:,} {what} with {least:,} to {most:,} events each: {rows:,} events",
                )
                for least, most, ids, rows in groups
            ]
            top = one["top_percent_rows"] / (one["rows"] - one["nulls"])
            title = (
                f"Share of events by events per {what[:-1]}; the most frequent 1% of {what} have "
                f"{formats.percent(top)}"
            )
            panel = svg.share_bars(bars, f"events of one {what[:-1]}", _NAMES)
            drawings.append(panel.drawing(title))
    return Figure.of("Users and items", "", drawings)
