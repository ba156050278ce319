"""The page over all parts: a row for each, and curves."""

import os
import urllib.parse
from collections.abc import Callable, Sequence

from pipeline.daily_cycle import versions_section
from pipeline.daily_cycle.part_record import PartRecord
from pipeline.report import formats, page, svg
from pipeline.report.blocks import Cell, Drawing, Figure, Key, Section, Table, Tile

_MOST_NAMES = 6

Value = Callable[[PartRecord], float | None]
Line = tuple[str, str, Value]
"""Color, name and value of a line."""


def write(path: str, name: str, records: Sequence[PartRecord]) -> None:
    """Writes the page.

    Args:
      path: the HTML file; parts whose pages are beside it link there.
      name: of the model.
      records: of the parts, in order.
    """
    folder = os.path.dirname(path)
    sections = [one for one in (_curves(records), _table(records, folder)) if one is not None]
    title = f"{name}: the daily cycle"
    page.write(path, title, _subtitle(records), sections, _tiles(records))


def _subtitle(records: Sequence[PartRecord]) -> str:
    if not records:
        return "no part yet"
    return f"{len(records)} parts, {records[0].name} to {records[-1].name}"


def _tiles(records: Sequence[PartRecord]) -> list[Tile]:
    states = [one.state for one in records]
    tiles = [Tile("Parts done", str(states.count("done")))]
    for state in ("stopped", "left out", "open"):
        if count := states.count(state):
            names = ", ".join(one.name for one in records if one.state == state)
            tiles.append(Tile(state.capitalize(), str(count), note=names[:60], tone="bad"))
    serving = [one for one in records if one.outcome("promote")]
    if serving:
        promoted = serving[-1].outcome("promote")
        note = f"{promoted['label']}, of {serving[-1].name}"
        tiles.append(Tile("Serves", str(promoted["version"]), note=note))
    return tiles


def _metric(side: str, metric: str) -> Value:
    return lambda record: formats.number(versions_section.overall(record), metric, side)


def _seconds(record: PartRecord) -> float | None:
    return record.seconds or None


def _curves(records: Sequence[PartRecord]) -> Section | None:
    ratios = [
        ("AUC on the part's held-out users", _pair("auc")),
        ("GAUC", _pair("gauc")),
        ("Predicted over observed", _pair("calibration")),
    ]
    amounts: list[tuple[str, list[Line]]] = [
        ("Candidates", [("s1", "new version", versions_section.candidates)]),
        ("Seconds of all steps", [("s1", "new version", _seconds)]),
    ]
    made = [_drawing(records, *one) for one in ratios]
    made += [_drawing(records, *one, from_zero=True) for one in amounts]
    drawings = [one for one in made if one is not None]
    if not drawings:
        return None
    legend = [Key("s1", "new version", "line"), Key("s2", "the one that served", "line")]
    figure = Figure("Part by part", "", drawings, legend)
    return Section("curves", "Curves", "Does the loop keep the model fresh?", [figure])


def _pair(metric: str) -> list[Line]:
    return [
        ("s2", "the one that served", _metric("champion", metric)),
        ("s1", "new version", _metric("challenger", metric)),
    ]


def _drawing(
    records: Sequence[PartRecord], title: str, lines: Sequence[Line], from_zero: bool = False
) -> Drawing | None:
    """Returns lines over the parts; None where none has two points.

    Args:
      records: of the parts.
      title: of the drawing.
      lines: what it shows.
      from_zero: the axis begins at 0, so that heights compare as amounts do.
    """
    found = []
    for color, name, value in lines:
        points = [
            (index, one)
            for index, record in enumerate(records)
            if (one := value(record)) is not None
        ]
        if points:
            found.append((color, name, points))
    if not any(len(points) > 1 for *_, points in found):
        return None
    low, high = svg.padded([value for *_, points in found for _, value in points])
    low = 0 if from_zero else low
    panel = svg.Panel((-0.3, len(records) - 0.7), (low, high), left=64)
    panel.y_axis(svg.ticks(low, high))
    step = -(-len(records) // _MOST_NAMES)
    panel.x_axis([(index, one.name) for index, one in enumerate(records) if index % step == 0])
    for color, name, points in found:
        panel.line(points, color)
        for index, height in points:
            panel.dot((index, height), color, f"{records[index].name}, {name}: {height:.4f}", 3)
    return panel.drawing(title, f"{title}, by part")


def _name(record: PartRecord, folder: str) -> Cell | str:
    """Returns a part's name, which links to its page where there is one."""
    page_of_part = f"{record.name}.html"
    if not os.path.exists(os.path.join(folder, page_of_part)):
        return record.name
    return Cell(record.name, link=urllib.parse.quote(page_of_part))


def _table(records: Sequence[PartRecord], folder: str) -> Section:
    rows: list[list[Cell | str]] = []
    for one in reversed(records):
        auc = versions_section.overall(one).get("auc", {})
        promoted = one.outcome("promote")
        stop = one.stopped or one.skipped
        state = Cell(one.state, "good" if one.state == "done" else "bad")
        if one.stopped is not None and one.state == "stopped":
            state = Cell(f"stopped at {one.stopped.step}", "bad")
        rows.append(
            [
                _name(one, folder),
                state,
                formats.count(versions_section.candidates(one)),
                versions_section.rate(one),
                formats.fixed(formats.number(auc, "champion")),
                formats.fixed(formats.number(auc, "challenger")),
                f"{promoted['version']} {promoted['label']}" if promoted else formats.MISSING,
                formats.duration(one.seconds),
                stop.reason.splitlines()[0][:200] if stop else "",
            ]
        )
    head = ["Part", "State", "Candidates", "Positive", "AUC, old", "AUC, new"]
    table = Table([*head, "Serves", "Steps took", "Why"], rows, numeric=False)
    return Section("parts", "Parts", "What became of each part?", [table])
