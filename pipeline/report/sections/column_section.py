"""The log's columns, and how its events are spread over users and items."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Block, Cell, Drawing, Figure, Section, Table

_MUCH_MISSING = 0.05


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None without statistics of a log."""
    columns = formats.mapping(data, "statistics", "log", "columns")
    if not columns:
        return None
    blocks: list[Block] = [_table(columns)]
    if figure := _activity(columns):
        blocks.append(figure)
    return Section("log", "Log", "What do the columns of the log hold?", blocks)


def _table(columns: Mapping[str, Any]) -> Table:
    rows = []
    for name in columns:
        one = formats.mapping(columns, name)
        rows.append(
            [
                name,
                str(one.get("type")),
                _missing(one),
                formats.count(formats.number(one, "distinct")),
                _number(one, 0.0),
                _number(one, 0.5),
                _number(one, 1.0),
                _frequent(one),
            ]
        )
    head = ["Column", "Type", "Missing", "Distinct", "Least", "Median", "Most", "Most frequent"]
    return Table(head, rows, title="Columns")


def _missing(one: Mapping[str, Any]) -> Cell | str:
    nulls, rows = formats.number(one, "nulls"), formats.number(one, "rows")
    if nulls is None or not rows:
        return formats.MISSING
    text = formats.percent(nulls / rows, 1)
    return Cell(text, "bad") if nulls / rows > _MUCH_MISSING else text


def _number(one: Mapping[str, Any], share: float) -> str:
    for pair in one.get("quantiles") or []:
        if pair[0] == share:
            value = pair[1]
            whole = float(value).is_integer() and abs(value) < 2**53
            return f"{value:.0f}".replace("-", "−") if whole else formats.significant(value)
    return formats.MISSING


def _frequent(one: Mapping[str, Any]) -> str:
    rows = (one.get("rows") or 0) - (one.get("nulls") or 0)
    top = one.get("top") or []
    if not rows or not top or top[0][1] == 1:
        return formats.MISSING
    value, most = top[0]
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{_short(text)}, {formats.percent(most / rows, 1)}"


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:21]}..."


def _activity(columns: Mapping[str, Any]) -> Figure | None:
    drawings = []
    for name, what in (("user_id", "users"), ("item_id", "items")):
        one = formats.mapping(columns, name)
        if groups := one.get("rows_an_id"):
            caption = _sentence(one, what)
            title = f"Events by how many their {what[:-1]} has, share of all"
            drawings.append(Drawing(title, _panel(groups, what).svg(caption), caption))
    return Figure("Users and items", "", drawings) if drawings else None


def _sentence(one: Mapping[str, Any], what: str) -> str:
    known = one["rows"] - one["nulls"]
    value, most = one["top"][0]
    return (
        f"{formats.count(one['distinct'])} {what}, {known / one['distinct']:.1f} events each on "
        f"average; the most frequent, {_short(str(value))}, has {formats.count(most)} "
        f"({formats.percent(most / known, 1)}), the most frequent 1% of the {what} have "
        f"{formats.percent(one['top_percent_rows'] / known)}."
    )


def _panel(groups: Sequence[Sequence[int]], what: str) -> svg.Panel:
    total = sum(rows for *_, rows in groups)
    highest = max(rows for *_, rows in groups) / total
    panel = svg.Panel((0, len(groups)), (0, 1.06 * highest), x_label=f"events of one {what[:-1]}")
    panel.y_axis(svg.ticks(0, highest, formats.percent, 4))
    step = -(-len(groups) // 8)
    panel.x_axis(
        [
            (index + 0.5, f"{formats.short_count(least)}+" if most > least else str(least))
            for index, (least, most, _, _) in enumerate(groups)
            if index % step == 0
        ]
    )
    for index, (least, most, ids, rows) in enumerate(groups):
        tip = f"{ids:,} {what} with {least:,} to {most:,} events each: {rows:,} events"
        panel.bar((index + 0.1, index + 0.9), (0, rows / total), "s1", tip)
    return panel
