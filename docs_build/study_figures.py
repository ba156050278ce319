"""Figures of the study over several data sets."""

import functools
from collections.abc import Mapping
from typing import Any

from docs_build import results
from docs_build.figure import Figure

FILE = "study.json"
_MEASURES = {"auc": ".4f", "gauc": ".4f", "calibration": ".3f"}


def figures_of(held: Mapping[str, Any]) -> dict[str, Figure]:
    """Returns the figures of a recorded study by name.

    `study.<data set>.<model>.auc` (`gauc`, `calibration`, `behind` the best row, and `gauc_gain`,
    `gauc_gain_low`, `gauc_gain_high` in percent over ID-only), `study.<data set>.candidates`,
    `study.<model>.mean_rank`, `study.<model>.tied_percent`, `study.<model>.closed_percent`,
    `study.data_sets`, `study.processor_hours`.
    """
    figures = {
        "study.data_sets": Figure(FILE, lambda held: len(held["data"])),
        "study.processor_hours": Figure(FILE, lambda held: held["processor_hours"], ".1f"),
    }
    for one in held["data"]:
        figures[f"study.{one['name']}.candidates"] = Figure(
            FILE, functools.partial(_candidates, name=one["name"]), ",.0f"
        )
    for row in held["rows"]:
        place = {"data": row["data"], "model": row["model"]}
        name = f"study.{row['data']}.{row['model']}"
        for measure, form in _MEASURES.items():
            figures[f"{name}.{measure}"] = _of_row("rows", place, (f"{measure}_mean",), form)
        if row["rank"] is not None:
            figures[f"{name}.behind"] = _of_row("rows", place, ("behind",), ".4f")
        if "gauc_difference" in row:
            for end in ("", "_low", "_high"):
                keys = ("gauc_difference", f"relative_percent{end}")
                figures[f"{name}.gauc_gain{end}"] = _of_row("rows", place, keys, "+.2f")
    for row in held["summary"]:
        name, place = f"study.{row['model']}", {"model": row["model"]}
        if row["mean_rank"] is not None:
            figures[f"{name}.mean_rank"] = _of_row("summary", place, ("mean_rank",), ".1f")
            figures[f"{name}.tied_percent"] = _of_row("summary", place, ("share_tied",), ".0f", 100)
        if row["closed"] is not None:
            figures[f"{name}.closed_percent"] = _of_row("summary", place, ("closed",), ".0f", 100)
    return figures


def _candidates(held: Mapping[str, Any], name: str) -> int:
    """Returns the number of candidates in all splits of a data set."""
    total: int = sum(results.pick(held["data"], name=name)["candidates"].values())
    return total


def _of_row(
    table: str, place: Mapping[str, str], keys: tuple[str, ...], form: str, scale: float = 1
) -> Figure:
    def value(held: Mapping[str, Any]) -> float:
        row = results.pick(held[table], **place)
        found: Any = functools.reduce(lambda values, key: values[key], keys, row)
        return float(found) * scale

    return Figure(FILE, value, form)


FIGURES: dict[str, Figure] = figures_of(results.load(FILE))
