"""Pictures of the quality benchmark: figures by model, gains with intervals, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing, Figure, Key

_ROW = 26
_SHOWN = ("id_only", "early_fusion", "gradient_boosting", "dmf")
"""Models whose calibration is drawn, the last in the first color."""


def figures(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[Figure]:
    """Returns the pictures of one split.

    Args:
      rows: of the benchmark's output, of one split.
      names: what a model is called, by its row's name.
    """
    learned = [row for row in rows if row["model"] != "popularity"]
    return [_dots(learned, names), _gains(learned, names), _calibration(rows, names)]


def _dots(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Figure:
    def span(row: Mapping[str, Any], figure: str) -> tuple[float, ...]:
        mean, deviation = row[f"{figure}_mean"], row[f"{figure}_std"]
        return mean, mean - deviation, mean + deviation

    drawings = [
        _panel(
            figure.upper(),
            {row["model"]: span(row, figure) for row in rows if row[f"{figure}_mean"] is not None},
            names,
            None,
        )
        for figure in ("auc", "gauc")
    ]
    caption = (
        "A dot is the mean over seeds, its line one standard deviation to each side; the item's "
        "rate, which learns nothing, is far to the left and left out."
    )
    return Figure("Test split by model", caption, drawings)


def _gains(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Figure:
    def span(gain: Mapping[str, float]) -> tuple[float, ...]:
        return tuple(gain[f"relative_percent{end}"] for end in ("", "_low", "_high"))

    drawings = []
    for figure in ("auc", "gauc"):
        key = f"{figure}_difference"
        spans = {row["model"]: span(row[key]) for row in rows if key in row}
        drawings.append(_panel(f"{figure.upper()} over ID-only, percent", spans, names, 0.0))
    caption = "Lines are 95% intervals of a bootstrap over users, paired by seed."
    return Figure("Gain over ID-only target attention", caption, drawings)


def _panel(
    title: str,
    spans: Mapping[str, tuple[float, ...]],
    names: Mapping[str, str],
    reference: float | None,
) -> Drawing:
    """Draws one row per model: a dot, and a line from the second to the third value."""
    values = [value for span in spans.values() for value in span]
    values += [] if reference is None else [reference]
    shown = [names.get(model, model) for model in spans]
    low, high = svg.padded(values or [0, 1])
    panel = svg.Panel(
        (low, high),
        (len(spans) - 0.5, -0.5),
        height=_ROW * len(spans) + 40,
        left=svg.room_for(shown),
    )
    panel.x_axis(svg.ticks(low, high, wanted=5), grid=True)
    if reference is not None:
        panel.rule((reference, -0.5), (reference, len(spans) - 0.5))
    for at, (model, (middle, left, right)) in enumerate(spans.items()):
        panel.row_name(at, names.get(model, model))
        panel.rule((left, at), (right, at), "whisker")
        digits = 4 if reference is None else 2
        tip = f"{names.get(model, model)}: " + ", ".join(
            formats.fixed(value, digits) for value in (middle, left, right)
        )
        panel.dot((middle, at), "s1" if model == "dmf" else "s2", tip)
    return Drawing(title, panel.svg(f"{title} by model."))


def _calibration(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Figure:
    curves = {row["model"]: row["calibration_curve"] for row in rows if row["model"] in _SHOWN}
    colors = dict(zip(reversed(_SHOWN), ("s1", "s3", "s4", "s2"), strict=True))
    points = {
        model: [(one["predicted"], 100 * (one["observed"] - one["predicted"])) for one in curve]
        for model, curve in curves.items()
    }
    low, high = svg.padded([0, *(y for line in points.values() for _, y in line)], 0.12, 0.2)
    panel = svg.Panel((0, 1), (low, high), x_label="predicted probability", height=320)
    panel.y_axis(svg.ticks(low, high))
    panel.x_axis(svg.ticks(0, 1, formats.percent))
    panel.rule((0, 0), (1, 0))
    for model, line in points.items():
        panel.line(line, colors[model])
        for x, y in line:
            tip = f"{names[model]}: predicted {formats.percent(x, 1)}, {formats.fixed(y, 1)} points"
            panel.dot((x, y), colors[model], tip)
    return Figure(
        "Calibration, in bins of equal size",
        "Predictions of all seeds together; 0 is perfect.",
        [Drawing("Observed minus predicted, points", panel.svg("Calibration by model."))],
        [Key(colors[model], names[model], "line") for model in points],
    )
