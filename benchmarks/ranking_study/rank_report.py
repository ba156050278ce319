"""Ranks over data sets for people: a table in Markdown, and a section of the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.ranking_study import dot_panel
from benchmarks.ranking_study.quality_ranks import CALIBRATED
from pipeline.report import formats
from pipeline.report.blocks import Cell, Figure, Section, Table

HEAD = ("rank", "behind the best", "trained", "of the distance")
"""Titles of the columns that a row has besides those of `quality_report`."""

_CAPTION = (
    "The rank is by the mean of AUC and GAUC, from 1 for the best; a star is a tie with the best "
    "within the spread, an exclamation mark a calibration outside of "
    f"{CALIBRATED[0]} to {CALIBRATED[1]}. Controls have no rank. The distance is that in AUC from "
    "the item's rate to the true probability, of simulated markets."
)


def name_of(row: Mapping[str, Any]) -> str:
    """Returns the data set of a row; rows of earlier versions name its split."""
    return str(row.get("data", row.get("split")))


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns a row as texts under `HEAD`."""
    rank, closed = row.get("rank"), row.get("closed")
    return (
        _rank(row),
        formats.MISSING if rank is None else formats.fixed(row["behind"]),
        _trained(row.get("trained")),
        _share(closed),
    )


def table(result: Mapping[str, Any]) -> str:
    """Returns models by data sets as a table in Markdown."""
    head, *rows = cells_of_all(result)
    return f"{markdown(head, rows)}\n\n{_CAPTION}"


def cells_of_all(result: Mapping[str, Any]) -> list[list[str]]:
    """Returns models by data sets as texts, the head first."""
    head, rows = _ranks(result, lambda row: f"{_figures(row)} ({_rank(row)})")
    return [head, *([cell.text for cell in row] for row in rows)]


def section(result: Mapping[str, Any]) -> Section:
    """Returns the section that compares models over all data sets."""
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
    tables = [
        Table(*_ranks(result, _rank), _CAPTION, title="Rank"),
        Table(*_ranks(result, lambda row: _figures(row, 3), shares=False), title="AUC / GAUC"),
    ]
    question = "Which model is best, whatever the data?"
    return Section("ranks", "All data sets", question, [*tables, ranks])


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ranks(
    result: Mapping[str, Any], text: Callable[[Mapping[str, Any]], str], shares: bool = True
) -> tuple[list[str], list[list[Cell]]]:
    """Returns head and rows of models by data sets, with or without what is over all of them."""
    names = list(dict.fromkeys(map(name_of, result["rows"])))
    by_place = {(row["model"], name_of(row)): row for row in result["rows"]}
    over_all = ["mean rank", "best or tied", "of the distance"] if shares else []
    head = ["model", *over_all, *(name.replace("_", " ") for name in names)]
    rows = []
    for one in result["summary"]:
        cells = [Cell(dot_panel.title_of(one["model"]))]
        if shares:
            cells.append(Cell(formats.fixed(one["mean_rank"], 1)))
            cells += [Cell(_share(one[name])) for name in ("share_tied", "closed")]
        found = (by_place.get((one["model"], name)) for name in names)
        rows.append([*cells, *(_cell(row, text) for row in found)])
    return head, rows


def _cell(row: Mapping[str, Any] | None, text: Callable[[Mapping[str, Any]], str]) -> Cell:
    if row is None:
        return Cell(formats.MISSING)
    return Cell(f"{text(row)}{'' if row['calibrated'] else ' !'}", "good" if row["tied"] else "")


def _figures(row: Mapping[str, Any], digits: int = 4) -> str:
    return " / ".join(formats.fixed(row[f"{name}_mean"], digits) for name in ("auc", "gauc"))


def _rank(row: Mapping[str, Any]) -> str:
    if row.get("rank") is None:
        return formats.MISSING
    return f"{row['rank']}{'*' if row['tied'] else ''}"


def _share(value: float | None) -> str:
    return formats.MISSING if value is None else formats.percent(value)


def _trained(trained: Mapping[str, Any] | None) -> str:
    """Returns the best moment, how far it was trained, and what ended it."""
    if trained is None:
        return formats.MISSING
    digits = 0 if trained["unit"] == "trees" else 1
    best, amount = (formats.fixed(trained[name], digits) for name in ("best", "amount"))
    return f"{best} of {amount} {trained['unit']} ({', '.join(sorted(trained['reasons']))})"
