"""The new version against the one that serves, as the gate saw them."""

from collections.abc import Mapping
from typing import Any

from pipeline.daily_cycle.part_record import PartRecord
from pipeline.report import formats, svg
from pipeline.report.blocks import Cell, Figure, ReportBlock, Section, Table, Tile

_METRICS = {"auc": "AUC", "gauc": "GAUC", "ne": "NE", "calibration": "Calibration"}
_ROW = 34


def candidates(record: PartRecord) -> float | None:
    """Returns how many candidates the part has, None before it is joined."""
    splits = record.outcome("join").get("splits")
    return None if splits is None else sum(one["candidates"] for one in splits.values())


def rate(record: PartRecord) -> str:
    """Returns the share of positives, as text."""
    join, total = record.outcome("join"), candidates(record)
    if not total:
        return formats.MISSING
    positives = sum(one["positives"][join["label"]] for one in join["splits"].values())
    return formats.percent(positives / total, 1)


def overall(record: PartRecord) -> Mapping[str, Any]:
    """Returns the gate's figures of the main label over all candidates, by metric."""
    scopes = record.outcome("gate").get("scopes", [])
    return next((one["figures"] for one in scopes if not one["slicing"]), {})


def tiles(record: PartRecord) -> list[Tile]:
    """Returns AUC, GAUC and calibration of the new version, against the other."""
    figures, found = overall(record), []
    for metric, title in _METRICS.items():
        figure = figures.get(metric, {})
        if figure.get("challenger") is None or metric == "ne":
            continue
        other = figure.get("champion")
        note = "nothing served before" if other is None else f"before: {formats.fixed(other)}"
        found.append(Tile(title, formats.fixed(figure["challenger"]), note=note))
    return found


def section(record: PartRecord) -> Section | None:
    """Returns the section, None where the gate has not judged."""
    gate = record.outcome("gate")
    if not gate:
        return None
    scopes = gate["scopes"]
    blocks: list[ReportBlock] = [_table(scopes)]
    compared = [one for one in scopes if _loss(one) is not None]
    if compared:
        blocks.insert(0, _figure(compared))
    notes: list[list[Cell | str]] = [[one] for one in gate["notes"]]
    if notes:
        blocks.append(Table([], notes, numeric=False, title="Not judged"))
    question = "Is the new version at least as good, for everyone?"
    return Section("versions", "Old against new", question, blocks)


def _title(scope: Mapping[str, Any]) -> str:
    if not scope["slicing"]:
        return f"{scope['task']}, all"
    return f"{scope['slicing'].replace('_', ' ')} {scope['name']}"


def _loss(scope: Mapping[str, Any]) -> float | None:
    return formats.number(scope, "figures", "auc", "loss")


def _figure(scopes: list[Mapping[str, Any]]) -> Figure:
    """Returns the gain in AUC of each slice, with its 95% interval."""
    gains = []
    for scope in scopes:
        figure = scope["figures"]["auc"]
        low, high = figure["loss_interval"] or (figure["loss"], figure["loss"])
        gains.append((_title(scope), -high, -figure["loss"], -low))
    low, high = svg.padded([value for _, *values in gains for value in (*values, 0.0)])
    left = svg.room_for([name for name, *_ in gains])
    height = 40 + _ROW * len(gains)
    panel = svg.Panel((low, high), (len(gains), 0), height=height, left=left)
    panel.x_axis(svg.ticks(low, high, lambda value: formats.signed(value, 3), 4), grid=True)
    panel.rule((0, 0), (0, len(gains)), "zero")
    for row, (name, least, gain, most) in enumerate(gains):
        panel.row_name(row + 0.5, name)
        panel.rule((least, row + 0.5), (most, row + 0.5), "reference")
        tip = f"{name}: {gain:+.4f}, 95% interval {least:+.4f} to {most:+.4f}"
        panel.dot((gain, row + 0.5), "s1", tip)
    caption = "A point right of zero: the new version ranks better there. Lines are 95% intervals."
    return Figure("Gain in AUC by slice", caption, [panel.drawing("New minus old, AUC")])


def _table(scopes: list[Mapping[str, Any]]) -> Table:
    head = ["Slice", "Users", "Candidates"]
    head += [f"{title}, {side}" for title in _METRICS.values() for side in ("old", "new")]
    rows: list[list[Cell | str]] = []
    for scope in scopes:
        row: list[Cell | str] = [
            _title(scope),
            formats.count(scope["users"]),
            formats.count(scope["candidates"]),
        ]
        for metric in _METRICS:
            figure = formats.mapping(scope, "figures", metric)
            loss = formats.number(figure, "loss")
            tone = "" if loss is None or round(loss, 4) == 0 else "bad" if loss > 0 else "good"
            row.append(formats.fixed(formats.number(figure, "champion")))
            row.append(Cell(formats.fixed(formats.number(figure, "challenger")), tone))
        rows.append(row)
    return Table(head, rows, title="Both on the same held-out records")
