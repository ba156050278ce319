"""Ranks over data sets for people: a table in Markdown, and a section of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ranking_study import dot_panel
from benchmarks.ranking_study.quality_ranks import CALIBRATED
from pipeline.report import formats
from pipeline.report.blocks import Cell, Figure, Section, Table

HEAD = ("rank", "trained", "of the distance")
"""Titles of the columns that a row has besides those of `quality_report`."""

_DISTANCE = "of the distance from the item's rate to the best AUC, simulated"
_CAPTION = (
    "A cell has AUC / GAUC and the rank by their mean, from 1 for the best; a star is a tie with "
    "the best within the spread, an exclamation mark a calibration outside of "
    f"{CALIBRATED[0]} to {CALIBRATED[1]}. Controls have no rank."
)


def name_of(row: Mapping[str, Any]) -> str:
    """Returns the data set of a row; rows of earlier versions name its split."""
    return str(row.get("data", row.get("split")))


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns a row as texts under `HEAD`."""
    rank, closed = row.get("rank"), row.get("closed")
    return (
        formats.MISSING if rank is None else f"{rank}{'*' if row['tied'] else ''}",
        _trained(row.get("trained")),
        formats.MISSING if closed is None else formats.percent(closed),
    )


def table(result: Mapping[str, Any]) -> str:
    """Returns models by data sets as a table in Markdown."""
    head, rows = _ranks(result)
    texts = [[cell if isinstance(cell, str) else cell.text for cell in row] for row in rows]
    return f"{markdown(head, texts)}\n\n{_CAPTION}"


def section(result: Mapping[str, Any]) -> Section:
    """Returns the section that compares models over all data sets."""
    head, rows = _ranks(result)
    spans = {
        row["model"]: (row["mean_rank"], min(row["ranks"].values()), max(row["ranks"].values()))
        for row in result["summary"]
        if row["mean_rank"] is not None
    }
    ranks = Figure(
        "Ranks",
        "A dot is the mean rank over data sets, its line goes from the best to the worst.",
        [dot_panel.panel("Rank", spans, digits=1)],
    )
    question = "Which model is best, whatever the data?"
    return Section("ranks", "All data sets", question, [Table(head, rows, _CAPTION), ranks])


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ranks(result: Mapping[str, Any]) -> tuple[list[str], list[list[Cell | str]]]:
    """Returns head and rows of models by data sets."""
    names = list(dict.fromkeys(map(name_of, result["rows"])))
    by_place = {(row["model"], name_of(row)): row for row in result["rows"]}
    head = ["model", *names, "mean rank", "best or tied", _DISTANCE]
    rows: list[list[Cell | str]] = []
    for one in result["summary"]:
        found = [by_place.get((one["model"], name)) for name in names]
        shares = [
            formats.MISSING if share is None else formats.percent(share)
            for share in (one["share_tied"], one["closed"])
        ]
        mean = formats.fixed(one["mean_rank"], 1)
        rows.append([dot_panel.title_of(one["model"]), *map(_cell, found), mean, *shares])
    return head, rows


def _cell(row: Mapping[str, Any] | None) -> Cell | str:
    if row is None:
        return formats.MISSING
    figures = " / ".join(formats.fixed(row[f"{name}_mean"]) for name in ("auc", "gauc"))
    rank = "" if row["rank"] is None else f" ({row['rank']}{'*' if row['tied'] else ''})"
    text = f"{figures}{rank}{'' if row['calibrated'] else ' !'}"
    return Cell(text, "good" if row["tied"] else "")


def _trained(trained: Mapping[str, Any] | None) -> str:
    """Returns the best moment, how far it was trained, and what ended it."""
    if trained is None:
        return formats.MISSING
    digits = 0 if trained["unit"] == "trees" else 1
    best, amount = (formats.fixed(trained[name], digits) for name in ("best", "amount"))
    return f"{best} of {amount} {trained['unit']} ({', '.join(sorted(trained['reasons']))})"
