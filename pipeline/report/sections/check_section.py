"""Findings in the data, and its change since a baseline against the thresholds."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Cell, Details, Figure, Key, ReportBlock, Section, Table

_DRAWN = 12
_ROW = 26
_LONGEST = 2.0
"""A bar ends at twice its threshold; the number says how far it would go."""


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None where nothing was checked."""
    if not formats.mapping(data, "assessment"):
        return None
    findings = formats.records(data, "assessment", "findings")
    changes = formats.records(data, "assessment", "drift", "changes")
    blocks: list[ReportBlock] = [_findings(findings)]
    if changes:
        blocks += [_figure(data, changes), _all(changes)]
    return Section("checks", "Checks", "Is the data fit to train on?", blocks)


def _findings(findings: Sequence[Mapping[str, Any]]) -> Table:
    texts = sorted(
        (
            [str(one.get(k)) for k in ("severity", "check", "subject", "message")]
            for one in findings
        ),
        key=lambda row: row[0],
    )
    rows: list[list[Cell | str]] = [
        [Cell(severity, "bad" if severity == "error" else ""), check.replace("_", " "), *rest]
        for severity, check, *rest in texts
    ]
    errors = sum(row[0] == "error" for row in texts)
    caption = "Nothing was found."
    if rows:
        caption = f"Errors, which stop a run: {errors}; warnings: {len(rows) - errors}."
    head = ["Severity", "Check", "Subject", "Finding"] if rows else []
    return Table(head, rows, caption, numeric=False, title="Findings")


def _figure(data: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> Figure:
    breaches = sum(bool(one.get("breach")) for one in changes)
    baseline = formats.dig(data, "assessment", "drift", "baseline")
    caption = f"{breaches} of {len(changes)} measures changed more than allowed since {baseline}."
    changed = [one for one in changes if _relative(one) > 0]
    shown = sorted(changed, key=_relative, reverse=True)[:_DRAWN]
    if not shown:
        return Figure("Drift", f"Nothing changed since {baseline}.", [])
    legend = [Key("s1", "within"), Key("s3", "too much"), Key("", "threshold", "rule")]
    title = "The largest changes, in parts of their threshold"
    return Figure("Drift", caption, [_panel(shown).drawing(title)], legend)


def _panel(changes: Sequence[Mapping[str, Any]]) -> svg.Panel:
    # The text of a row stands above its bar: names are longer than the room at the side.
    height = 40 + 1.6 * _ROW * len(changes)
    panel = svg.Panel((0, _LONGEST), (len(changes), 0), height=height, left=8)
    panel.x_axis([(0, "0"), (1, "threshold"), (2, "2×")], grid=True)
    for row, change in enumerate(changes):
        color = "s3" if change.get("breach") else "s1"
        length = min(_relative(change), _LONGEST)
        amount, limit = (_value(change.get(key)) for key in ("change", "threshold"))
        tip = f"{_name(change)}: {amount} of {limit}"
        panel.bar((0, length), (row + 0.55, row + 0.9), color, tip)
        panel.note((0, row + 0.45), tip)
    panel.rule((1, 0), (1, len(changes)))
    return panel


def _all(changes: Sequence[Mapping[str, Any]]) -> Details:
    keys = ("change", "threshold", "before", "after")
    rows: list[list[Cell | str]] = [
        [Cell(_name(one), "bad" if one.get("breach") else ""), *(_value(one.get(k)) for k in keys)]
        for one in changes
    ]
    head = ["Measure", *map(str.capitalize, keys)]
    return Details(f"All measures ({len(rows)})", Table(head, rows))


def _relative(change: Mapping[str, Any]) -> float:
    """Returns a change in parts of its threshold; a ratio of 1 is no change."""
    value, threshold = formats.number(change, "change"), formats.number(change, "threshold")
    if value is None or threshold is None:
        return 0.0
    nothing = 1.0 if change.get("measure") == "rows_ratio" else 0.0
    room = threshold - nothing
    return (value - nothing) / room if room else _LONGEST * (value > nothing)


def _name(change: Mapping[str, Any]) -> str:
    return f"{str(change.get('measure')).replace('_', ' ')} of {change.get('subject')}"


def _value(value: Any) -> str:
    number = formats.number(value)
    return str(value) if number is None and value is not None else formats.significant(number)
