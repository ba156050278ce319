"""Embedding sets as they come: what is usable, what they cover of the log, their norms."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Block, Drawing, Figure, Section, Table


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None without statistics of embedding sets."""
    sets = formats.mapping(data, "statistics", "embedding_sets")
    if not sets:
        return None
    blocks: list[Block] = [_table(sets)]
    drawings = [
        Drawing(f"{name.capitalize()}: norm, share of vectors", panel.svg(caption), caption)
        for name in sets
        for panel, caption in [_norms(formats.mapping(sets, name, "norm"))]
        if panel is not None
    ]
    if drawings:
        blocks.append(Figure("Norms", "", drawings))
    return Section("embeddings", "Embeddings", "Which items have content, and is it whole?", blocks)


def _table(sets: Mapping[str, Any]) -> Table:
    rows = []
    for name in sets:
        one = formats.mapping(sets, name)
        rows.append(
            [
                name,
                formats.count(formats.number(one, "dimension")),
                formats.count(formats.number(one, "rows")),
                formats.count(formats.number(one, "usable")),
                formats.count(formats.total(one.get("rejected"))),
                formats.count(formats.number(one, "zero")),
                formats.count(formats.number(one, "distinct")),
                _range(formats.mapping(one, "norm")),
                formats.percent(formats.number(one, "coverage", "item_share"), 1),
                formats.percent(formats.number(one, "coverage", "event_share"), 1),
                formats.percent(formats.number(one, "coverage", "in_time_share"), 1),
            ]
        )
    head = [
        *("Modality", "Width", "Rows", "Items", "Rejected", "Zero", "Distinct vectors", "Norm"),
        *("Items of the log", "Events", "Events, in time"),
    ]
    return Table(head, rows, title="Embedding sets as given")


def _range(norm: Mapping[str, Any]) -> str:
    ends = (formats.number(norm, "min"), formats.number(norm, "max"))
    # Rounded first: 0.99999996 and 1 are one norm.
    low, high = (formats.significant(None if end is None else round(end, 4)) for end in ends)
    return low if low == high else f"{low} to {high}"


def _norms(norm: Mapping[str, Any]) -> tuple[svg.Panel | None, str]:
    bins: Sequence[Sequence[float]] = norm.get("histogram") or []
    quantiles = dict(norm.get("quantiles") or [])
    if len(bins) < 2:
        return None, ""
    caption = (
        f"From {_range(norm)}, "
        f"half of them between {formats.significant(quantiles.get(0.25))} and "
        f"{formats.significant(quantiles.get(0.75))}."
    )
    total = sum(rows for *_, rows in bins)
    highest = max(rows for *_, rows in bins) / total
    panel = svg.Panel((0, len(bins)), (0, 1.06 * highest), x_label="norm")
    panel.y_axis(svg.ticks(0, highest, formats.percent, 4))
    step = -(-len(bins) // 6)
    for index, (low, high, rows) in enumerate(bins):
        middle = (low + high) / 2
        tip = f"{formats.significant(low)} to {formats.significant(high)}: {rows:,} vectors"
        panel.bar((index + 0.05, index + 0.95), (0, rows / total), "s1", tip)
        if index % step == 0:
            panel.x_axis([(index + 0.5, formats.significant(middle, 2))])
    return panel, caption
