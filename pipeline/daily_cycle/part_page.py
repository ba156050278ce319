"""The page of one part."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.daily_cycle import versions_section
from pipeline.daily_cycle.part_record import PartRecord
from pipeline.report import formats, page
from pipeline.report.blocks import Cell, ReportBlock, Section, Table, Tile
from pipeline.report.sections import check_section, data_section

_WHAT = {
    "inspect_log": "The log and the embedding sets are compared with those of the part before.",
    "join": "The log is joined into the data set.",
    "inspect_examples": "The joined records are compared with those of the part before.",
    "check_champion": "The version that serves is scored on the new records.",
    "train": "The model of the part before goes on with this part.",
    "export": "The model is exported, and its signatures are compared.",
    "gate": "The new version is compared with the one that serves.",
    "caches": "Projections that became stale are computed.",
    "load": "The projections are loaded into the store.",
    "promote": "The new version comes to serve.",
    "prune": "Old versions, models and parts are removed.",
}


def write(path: str, name: str, record: PartRecord) -> None:
    """Writes the page.

    Args:
      path: the HTML file.
      name: of the model.
      record: of the part.
    """
    page.write(
        path, f"{name}: {record.name}", _subtitle(record), list(_sections(record)), _tiles(record)
    )


def _subtitle(record: PartRecord) -> str:
    parts = [f"{record.state}", f"steps: {formats.duration(record.seconds)}"]
    for stop in (record.stopped, record.skipped):
        if stop is not None:
            parts.insert(1, stop.at)
    return " · ".join(parts)


def _tiles(record: PartRecord) -> list[Tile]:
    tiles = [_state_tile(record)]
    candidates = versions_section.candidates(record)
    if candidates is not None:
        rate = versions_section.rate(record)
        tiles.append(Tile("Candidates", formats.count(candidates), note=f"positive: {rate}"))
    tiles += versions_section.tiles(record)
    return tiles


def _state_tile(record: PartRecord) -> Tile:
    promoted = record.outcome("promote")
    if promoted:
        before = promoted.get("before")
        note = f"{promoted['label']}" + ("" if before is None else f", before: {before}")
        return Tile("Version", str(promoted["version"]), note=note, tone="good")
    if record.stopped is not None:
        return Tile(
            "Stopped at", record.stopped.step, note="what served before serves on", tone="bad"
        )
    return Tile("State", record.state)


def _sections(record: PartRecord) -> Iterator[Section]:
    yield _steps(record)
    join = record.outcome("join")
    if join:
        data = {"manifest": join, "label": join["label"]}
        if (section := data_section.section(data)) is not None:
            yield section
    for step, title in (("inspect_log", "Log"), ("inspect_examples", "Records")):
        section = check_section.section(record.outcome(step))
        if section is not None:
            question = f"What drifted in the {title.lower()}?"
            yield dataclasses.replace(section, anchor=step, title=title, question=question)
    if (section := versions_section.section(record)) is not None:
        yield section


def _steps(record: PartRecord) -> Section:
    rows: list[list[Cell | str]] = []
    for name in record.steps:
        done = record.done.get(name)
        stopped = record.stopped is not None and record.stopped.step == name
        state = Cell("stopped", "bad") if stopped else "done" if done else "–"
        seconds = formats.fixed(done.seconds, 1) if done else formats.MISSING
        rows.append(
            [name.replace("_", " "), state, seconds, _result(name, record), _WHAT.get(name, "")]
        )
    blocks: list[ReportBlock] = [
        Table(["Step", "State", "Seconds", "Result", "What it does"], rows, numeric=False)
    ]
    for what, one in (("It stopped.", record.stopped), ("It was left out.", record.skipped)):
        if one is not None:
            lines: list[list[Cell | str]] = [[line] for line in one.reason.splitlines() if line]
            blocks.insert(0, Table([what], lines, numeric=False))
    return Section("steps", "Steps", "How far did the part come, and why?", blocks)


def _result(step: str, record: PartRecord) -> str:
    outcome = record.outcome(step)
    return "" if not outcome else _RESULTS.get(step, lambda _: "")(outcome)


def _inspection(outcome: Mapping[str, Any]) -> str:
    assessment = outcome["assessment"]
    baseline = assessment["drift"]["baseline"]
    changes = len(assessment["drift"]["changes"])
    compared = f"{changes} measures within their thresholds" if baseline else "nothing before it"
    return f"{len(assessment['findings'])} findings; {compared}"


def _champion(outcome: Mapping[str, Any]) -> str:
    if outcome["champion"] is None:
        return "no version judges it yet"
    return f"the part fits version {outcome['champion']}, in {len(outcome['scopes'])} slices"


def _loaded(outcome: Mapping[str, Any]) -> str:
    found = outcome["loaded"].items()
    rows = [f"{name}: {formats.count(one['rows'])} rows of tag {one['tag']}" for name, one in found]
    return "; ".join(rows) or "no store is configured"


_RESULTS = {
    "inspect_log": _inspection,
    "inspect_examples": _inspection,
    "join": lambda one: f"vocabulary of {formats.count(one['vocabulary'])} items",
    "train": lambda one: one["stopped"]["sentence"],
    "export": lambda one: f"version {one['version']}",
    "gate": lambda one: one["summary"],
    "check_champion": _champion,
    "caches": lambda one: " ".join(text.capitalize() for text in one["caches"].values()),
    "load": _loaded,
    "prune": lambda one: one["versions"],
    "promote": lambda one: f"version {one['version']} is {one['label']}",
}
