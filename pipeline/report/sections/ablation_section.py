"""What each path of the model carries: the model scored without it, and beside a simpler one."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Details, Figure, Key, Section, Table
from pipeline.report.sections import comparison_section

_SERIES = (("gauc", "GAUC", "s1"), ("auc", "AUC", "s3"))
_NAMES = {
    "content": "all content",
    "similarity": "similarity",
    "attention": "in attention",
    "histogram": "beside attention",
    "candidate_content": "own embedding",
    "item_ids": "item ids",
}
_SLICES = {
    "item_train_count": "by how often train shows the item",
    "history_length": "by behaviors in the history",
}
_CAPTION = (
    "Each row scores the same candidates as if nothing were known to one path: similarities, "
    "embeddings or ids. The model is not trained anew, so a path that could replace another one "
    "shows less than it is worth alone. Rows with a model's name are models trained beside it. "
    "Whiskers are 95% intervals of a bootstrap over users; another seed changes more than that "
    "where they are narrow."
)


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns findings, bars and tables, or None where no ablation was measured."""
    found = [
        (name, formats.mapping(data, "metrics", name, "ablation"))
        for name in comparison_section.series(data)
    ]
    blocks = [block for name, one in found if one for block in _blocks(name, one)]
    question = "Which path carries the model, for whom, and would a simpler model do?"
    return Section.of("ablation", "What carries the model", question, blocks)


def _blocks(series: str, figures: Mapping[str, Any]) -> list[Any]:
    title = f"Findings, {formats.model_name(series)}"
    sentences = [one for one in figures.get("findings") or [] if isinstance(one, str)]
    found = formats.mappings(figures, "others")
    # Models first, then the paths in the order of their names here.
    places = list(_NAMES)
    keys = sorted(found, key=lambda key: places.index(key) if key in places else -1)
    others = {key: found[key] for key in keys}
    rows = [[str(number), text] for number, text in enumerate(sentences, 1)]
    blocks: list[Any] = [Table([], rows, numeric=False, title=title)] if rows else []
    if not others:
        return blocks
    head = "Lost without each path, and to each model beside it"
    legend = [Key(color, name) for _, name, color in _SERIES]
    drawing = _bars(others).drawing(f"{head}; more is worth more", head)
    blocks.append(Figure(head, _CAPTION, [drawing], legend))
    for by, name in _SLICES.items():
        if slices := formats.records(figures, "slices", by):
            blocks.append(Details(f"AUC lost {name}", _slice_table(slices, list(others))))
    return blocks


def _bars(others: Mapping[str, Mapping[str, Any]]) -> svg.Panel:
    names = [_name(key) for key in others]
    ends = [0.0]
    for one in others.values():
        for metric, *_ in _SERIES:
            ends += [value for value in (_loss(one, metric), *_interval(one, metric)) if value]
    low, high = svg.padded(ends, 0.12, 0.0005)
    rows = len(names)
    panel = svg.Panel((low, high), (rows, 0), left=svg.room_for(names) + 6, height=38 + 46 * rows)
    panel.x_axis(svg.ticks(low, high, wanted=4), grid=True)
    panel.rule((0, 0), (0, rows), "zero")
    for row, (key, one) in enumerate(others.items()):
        panel.row_name(row + 0.5, _name(key))
        for place, (metric, title, color) in enumerate(_SERIES):
            value, ends_of = _loss(one, metric), _interval(one, metric)
            if value is None:
                continue
            top = row + 0.16 + 0.36 * place
            tip = f"{_name(key)}: {formats.signed(value)} {title} lost"
            panel.bar((0, value), (top, top + 0.3), color, tip)
            if ends_of:
                panel.rule((ends_of[0], top + 0.15), (ends_of[1], top + 0.15), "whisker")
    return panel


def _slice_table(slices: list[Mapping[str, Any]], others: list[str]) -> Table:
    columns = {
        "Candidates": formats.cell(formats.count, "candidates"),
        "AUC": formats.cell(formats.fixed, "auc"),
        **{_name(one): formats.cell(formats.signed, "others", one, "auc_loss") for one in others},
    }
    named = [(str(one.get("slice")).replace("-", "–"), one) for one in slices]
    return Table.of("Slice", named, columns)


def _name(key: str) -> str:
    return _NAMES.get(key) or formats.model_name(key)


def _loss(one: Mapping[str, Any], metric: str) -> float | None:
    return formats.number(one, f"{metric}_loss")


def _interval(one: Mapping[str, Any], metric: str) -> list[float]:
    """Returns the two ends of a loss's interval; nothing where there is none."""
    ends = one.get(f"{metric}_loss_interval")
    found = [formats.number(end) for end in ends] if isinstance(ends, (list, tuple)) else []
    known = [end for end in found if end is not None]
    return known if len(known) == 2 else []
