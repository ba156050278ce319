"""Figures of the study over several data sets, where its result was recorded."""

import functools
from collections.abc import Mapping
from typing import Any

from docs_build import results
from docs_build.figure import Figure

FILE = "study.json"
_MEASURES = {"auc": ".4f", "gauc": ".4f", "calibration": ".3f"}


def figures_of(held: Mapping[str, Any]) -> dict[str, Figure]:
    """Returns the figures of a recorded study by name.

    `study.<data set>.<model>.auc` (`gauc`, `calibration`, `gauc_gain` in percent over ID-only),
    `study.<model>.mean_rank`, `study.<model>.tied_percent`.
    """
    figures: dict[str, Figure] = {}
    for row in held["rows"]:
        place = {"data": row["data"], "model": row["model"]}
        name = f"study.{row['data']}.{row['model']}"
        for measure, form in _MEASURES.items():
            figures[f"{name}.{measure}"] = _of_row("rows", place, (f"{measure}_mean",), form)
        if "gauc_difference" in row:
            keys = ("gauc_difference", "relative_percent")
            figures[f"{name}.gauc_gain"] = _of_row("rows", place, keys, "+.2f")
    for row in held["summary"]:
        if row["mean_rank"] is not None:
            name, place = f"study.{row['model']}", {"model": row["model"]}
            figures[f"{name}.mean_rank"] = _of_row("summary", place, ("mean_rank",), ".1f")
            figures[f"{name}.tied_percent"] = _of_row("summary", place, ("share_tied",), ".0f", 100)
    return figures


def _of_row(
    table: str, place: Mapping[str, str], keys: tuple[str, ...], form: str, scale: float = 1
) -> Figure:
    def value(held: Mapping[str, Any]) -> float:
        row = results.pick(held[table], **place)
        found: Any = functools.reduce(lambda values, key: values[key], keys, row)
        return float(found) * scale

    return Figure(FILE, value, form)


FIGURES: dict[str, Figure] = figures_of(results.load(FILE)) if FILE in results.files() else {}
