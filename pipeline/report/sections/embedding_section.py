"""Embedding sets as given: what is usable, what they cover of the log, their norms."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Figure, Section, Table

_NAMES = 6


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None without statistics of embedding sets."""
    sets = formats.mappings(data, "statistics", "embedding_sets")
    if not sets:
        return None
    question = "Which items have content, and is it whole?"
    return Section.of("embeddings", "Embeddings", question, [_table(sets), _norms(sets)])


def _table(sets: Mapping[str, Mapping[str, Any]]) -> Table:
    count, percent = formats.count, formats.percent
    return Table.of(
        "Modality",
        sets.items(),
        {
            "Width": formats.cell(count, "dimension"),
            "Rows": formats.cell(count, "rows"),
            "Items": formats.cell(count, "usable"),
            "Rejected": lambda one: formats.count(formats.total(one.get("rejected"))),
            "Zero": formats.cell(count, "zero"),
            "Distinct vectors": formats.cell(count, "distinct"),
            "Norm": lambda one: _range(formats.mapping(one, "norm")),
            "Items of the log": formats.cell(percent, "coverage", "item_share", digits=1),
            "Events": formats.cell(percent, "coverage", "event_share", digits=1),
            "Events, in time": formats.cell(percent, "coverage", "in_time_share", digits=1),
        },
        "Embedding sets as given",
    )


def _range(norm: Mapping[str, Any]) -> str:
    ends = (formats.number(norm, "min"), formats.number(norm, "max"))
    # Rounded first: 0.99999996 and 1 are one norm.
    low, high = (formats.significant(None if end is None else round(end, 4)) for end in ends)
    return low if low == high else f"{low} to {high}"


def _norms(sets: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    drawings = []
    for name, one in sets.items():
        bins = formats.mapping(one, "norm").get("histogram") or []
        if len(bins) < 2:
            continue
        bars = [
            (
                formats.significant((low + high) / 2, 2),
                rows,
                f"{formats.significant(low)} to {formats.significant(high)}: {rows:,} vectors",
            )
            for low, high, rows in bins
        ]
        title = f"{name.capitalize()}: norm, share of vectors"
        drawings.append(svg.share_bars(bars, "norm", _NAMES).drawing(title))
    return Figure.of("Norms", "", drawings)
