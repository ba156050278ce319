"""Metrics by slice of the candidates: for whom is the model good?"""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Details, Figure, Key, Section, Table
from pipeline.report.sections import comparison_section
from pipeline.report.sections.training_section import color

_TITLES = {
    "history_length": "By behaviors in the history",
    "item_train_count": "By how often train shows the item",
}
Slices = Mapping[str, list[Mapping[str, Any]]]
"""A slicing's slices by series, the main one first."""


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns one drawing and one table per slicing, or None without metrics by slice."""
    names = comparison_section.series(data)
    slicings = dict.fromkeys(
        key for name in names for key in formats.mapping(data, "metrics", name, "slices")
    )
    drawings, tables = [], []
    for key in slicings:
        slices = {name: formats.records(data, "metrics", name, "slices", key) for name in names}
        if not any(slices.values()):
            continue
        title = _title(key)
        drawings.append(_panel(data, slices).drawing(title, f"AUC {title.lower()}"))
        tables.append(Details(f"All metrics {title.lower()}", _table(slices)))
    if not drawings:
        return None
    legend = [Key(color(name), formats.model_name(name)) for name in names]
    legend.append(Key("", f"{formats.model_name(names[0])}, all candidates", "rule"))
    figure = Figure("AUC by slice", "", drawings, legend)
    question = "For whom is the model good, for whom is it not?"
    return Section("slices", "Slices", question, [figure, *tables])


def _title(key: str) -> str:
    modality = key.removeprefix("similarity_").replace("_", " ")
    return _TITLES.get(key, f"By {modality} similarity to the history")


def _name(one: Mapping[str, Any]) -> str:
    return str(one.get("slice")).replace("-", "–")


def _panel(data: Mapping[str, Any], slices: Slices) -> svg.Panel:
    main = next(iter(slices))
    overall = formats.number(data, "metrics", main, "auc")
    rows = list(dict.fromkeys(_name(one) for found in slices.values() for one in found))
    areas = [overall, *(formats.number(one, "auc") for found in slices.values() for one in found)]
    low, high = svg.padded([one for one in areas if one is not None] or [0.5], 0.15, 0.01)
    panel = svg.Panel((low, high), (len(rows), 0), left=108, height=38 + 46 * len(rows), right=24)
    panel.x_axis(svg.ticks(low, high, wanted=4), grid=True)
    if overall is not None:
        panel.rule((overall, 0), (overall, len(rows)))
    for series, found in reversed(list(slices.items())):
        for one in found:
            at = rows.index(_name(one)) + 0.5
            auc, candidates = formats.number(one, "auc"), formats.number(one, "candidates")
            if series == main:
                panel.row_name(at, _name(one), f"{formats.count(candidates)} cand.")
            if auc is None:
                if series == main:
                    panel.note((low, at), "one class only", shift=(6, 4), css="faint")
                continue
            tip = (
                f"{formats.model_name(series)}, {_name(one)}: AUC {formats.fixed(auc)}, "
                f"{formats.count(candidates)} candidates"
            )
            panel.dot((auc, at), color(series), tip, 5)
            if series == main:
                panel.note((auc, at), formats.fixed(auc), shift=(9, 4))
    return panel


def _table(slices: Slices) -> Table:
    rows = [
        (f"{_name(one)}, {formats.model_name(series)}" if len(slices) > 1 else _name(one), one)
        for series, found in slices.items()
        for one in found
    ]
    columns = {
        "Candidates": formats.cell(formats.count, "candidates"),
        "Positives": formats.cell(formats.count, "positives"),
        **{title: formats.cell(formats.fixed, key) for key, title, _ in comparison_section.METRICS},
    }
    return Table.of("Slice", rows, columns)
