"""The picture of the study: every model on every data set, the darker the nearer to the best."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import escape

from benchmarks.ranking_study.dot_panel import title_of

_WIDTH, _NAME, _HEAD, _ROW = 900, 250, 78, 30
_NEAR, _FAR = (8, 81, 156), (239, 246, 252)
_WHITE_BELOW = 0.45
_FARTHEST = 0.05
"""Behind the best by so much, a cell is as light as it gets."""

_LEGEND = (
    "How far behind the best row, by the mean of AUC and GAUC on the test split.",
    "A ring: the best, or tied with it within the spread over seeds.",
)
_STYLE = (
    'text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, '
    "sans-serif; font-size: 14px; fill: #1f2933 } "
    ".small { font-size: 13px; fill: #4a5763 } .strong { font-weight: 600 } "
    ".middle { text-anchor: middle } .end { text-anchor: end } "
    "@media (prefers-color-scheme: dark) { text { fill: #e6ebf0 } .small { fill: #a9b6c2 } } "
    ".on-dark { fill: #ffffff } .on-light { fill: #1f2933 }"
)


def draw(held: Mapping[str, Any]) -> str:
    """Returns the picture of a recorded study as SVG, models by mean rank."""
    names = [one["name"] for one in held["data"]]
    models = [row for row in held["summary"] if row["mean_rank"] is not None]
    rows = {(row["data"], row["model"]): row for row in held["rows"]}
    height = _HEAD + _ROW * len(models) + 58
    cell = (_WIDTH - _NAME) / (len(names) + 1)
    shapes = [_head(names, cell)]
    for at, model in enumerate(models):
        top = _HEAD + at * _ROW
        strong = " strong" if model["model"] == "dmf" else ""
        shapes.append(_text(_NAME - 12, top, title_of(model["model"]), f"end{strong}"))
        shapes.append(_text(_NAME + cell / 2, top, f"{model['mean_rank']:.1f}", f"middle{strong}"))
        for column, name in enumerate(names, start=1):
            row = rows[name, model["model"]]
            shapes.append(_cell(_NAME + column * cell, top, cell, row))
    for line, legend in enumerate(_LEGEND):
        shapes.append(_text(16, _HEAD + _ROW * len(models) + 6 + 18 * line, legend, "small"))
    title = "Models on the data sets of the study"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img" aria-labelledby="title desc">\n'
        f'<title id="title">{title}</title>\n'
        f'<desc id="desc">{escape(_description(models, len(names)))}</desc>\n'
        f"<style>{_STYLE}</style>\n" + "\n".join(shapes) + "\n</svg>\n"
    )


def _description(models: Sequence[Mapping[str, Any]], number: int) -> str:
    ranks = ", ".join(f"{one['model']} {one['mean_rank']:.1f}" for one in models)
    return f"Mean ranks over {number} data sets: {ranks}. The page has all figures as a table."


def _head(names: Sequence[str], cell: float) -> str:
    shapes = [_text(_NAME + cell / 2, _HEAD - 34, "mean rank", "middle small")]
    for column, name in enumerate(names, start=1):
        words = name.split("_")
        for line, word in enumerate(words):
            top = _HEAD - 34 - 18 * (len(words) - 1 - line)
            shapes.append(_text(_NAME + (column + 0.5) * cell, top, word, "middle small"))
    return "\n".join(shapes)


def _cell(left: float, top: float, width: float, row: Mapping[str, Any]) -> str:
    share = min(row["behind"] / _FARTHEST, 1)
    color = [round(near + share * (far - near)) for near, far in zip(_NEAR, _FAR, strict=True)]
    ring = ' stroke="#d55e00" stroke-width="3"' if row["tied"] else ""
    text = "best" if row["rank"] == 1 else f"−{row['behind']:.4f}".replace("0.", ".")
    style = "middle on-dark" if share < _WHITE_BELOW else "middle on-light"
    return (
        f'<rect x="{left + 2:.1f}" y="{top + 2}" width="{width - 4:.1f}" '
        f'height="{_ROW - 4}" rx="4" fill="rgb({", ".join(map(str, color))})"{ring}/>'
        + _text(left + width / 2, top, text, style)
    )


def _text(x: float, top: float, text: str, style: str) -> str:
    return f'<text x="{x:.1f}" y="{top + 20:g}" class="{style}">{escape(text)}</text>'
