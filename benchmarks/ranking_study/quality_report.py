"""The quality benchmark's output for people: a table in Markdown, and a page of pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ranking_study.quality_protocol import TITLES
from pipeline.report import formats, page, svg
from pipeline.report.blocks import Details, Drawing, Figure, Key, ReportBlock, Section, Table

_ROW = 26
_CALIBRATED = {"dmf": "s1", "gradient_boosting": "s3", "early_fusion": "s4", "id_only": "s2"}
"""Models whose calibration is drawn, with their colors."""

HEAD = ("split", "model", "AUC", "GAUC", "GAUC over ID-only, 95%", "NE", "predicted / observed")
"""Titles of the columns."""


def table(result: Mapping[str, Any]) -> str:
    """Returns the rows of the benchmark's output as a table in Markdown."""
    lines = [HEAD, ("---",) * len(HEAD)]
    lines += [(row["split"], *cells(row)) for row in result["rows"]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def render(result: Mapping[str, Any], path: str) -> None:
    """Writes the benchmark's output as a page of pictures and tables."""
    protocol = result["protocol"]
    sections = []
    for split in dict.fromkeys(row["split"] for row in result["rows"]):
        rows = [row for row in result["rows"] if row["split"] == split]
        texts = [cells(row) for row in rows]
        learned = [row for row in rows if row["model"] != "popularity"]
        question = "Which model ranks best, and by how much more than ID-only?"
        blocks: list[ReportBlock] = [
            Table(HEAD[1:], texts),
            _dots(learned),
            _gains(learned),
            _calibration(rows),
        ]
        sections.append(Section(split, f"{split.capitalize()} split", question, blocks))
    sections.append(Section("protocol", "Protocol", "How was it measured?", _facts(result)))
    seeds = f"{protocol['seeds']} seeds, {protocol['trials']} settings tried for each model"
    page.write(path, "Models against each other", f"Test split, scored once; {seeds}", sections)


def _title(model: str) -> str:
    return TITLES.get(model, model)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns a row as texts under `HEAD`, without the split."""
    gain = row.get("gauc_difference")
    return (
        _title(row["model"]),
        _spread(row, "auc"),
        _spread(row, "gauc"),
        _gain(gain) if gain else formats.MISSING,
        formats.fixed(row["ne_mean"]),
        formats.fixed(row["calibration_mean"], 3),
    )


def _spread(row: Mapping[str, Any], figure: str) -> str:
    return f"{formats.fixed(row[f'{figure}_mean'])} ± {formats.fixed(row[f'{figure}_std'])}"


def _gain(gain: Mapping[str, float]) -> str:
    low, high = (formats.signed(gain[f"relative_percent_{end}"], 2) for end in ("low", "high"))
    return f"{formats.signed(gain['relative_percent'], 2)}% ({low} to {high})"


def _facts(result: Mapping[str, Any]) -> Sequence[Table | Details]:
    facts = {"command": result["command"], **result["protocol"], **result["environment"]}
    rows = Table((), [(name, str(value)) for name, value in facts.items()], numeric=False)
    head = ("model", "setting", "validation AUC", "validation GAUC", "seconds")
    tried = [
        (
            _title(name),
            _setting(one["setting"]),
            formats.fixed(one["validation"]["auc"]),
            formats.fixed(one["validation"]["gauc"]),
            formats.fixed(one["seconds"], 0),
        )
        for name, trials in result["tuning"].items()
        for one in trials
    ]
    return [rows, Details("Every setting that was tried", Table(head, tried))]


def _setting(setting: Mapping[str, Mapping[str, Any]]) -> str:
    values = {name: value for group in setting.values() for name, value in group.items()}
    return ", ".join(f"{name} {value:g}" for name, value in values.items()) or formats.MISSING


def _dots(rows: Sequence[Mapping[str, Any]]) -> Figure:
    drawings = []
    for figure in ("auc", "gauc"):
        spans = {}
        for row in rows:
            if (mean := row[f"{figure}_mean"]) is not None:
                deviation = row[f"{figure}_std"]
                spans[row["model"]] = (mean, mean - deviation, mean + deviation)
        drawings.append(_panel(figure.upper(), spans, None))
    caption = (
        "A dot is the mean over seeds, its line one standard deviation to each side; the item's "
        "rate, which learns nothing, is far to the left and left out."
    )
    return Figure("Test split by model", caption, drawings)


def _gains(rows: Sequence[Mapping[str, Any]]) -> Figure:
    drawings = []
    ends = [f"relative_percent{end}" for end in ("", "_low", "_high")]
    for figure in ("auc", "gauc"):
        gains = {row["model"]: row.get(f"{figure}_difference") for row in rows}
        spans = {model: tuple(gain[end] for end in ends) for model, gain in gains.items() if gain}
        drawings.append(_panel(f"{figure.upper()} over ID-only, percent", spans, 0.0))
    caption = "Lines are 95% intervals of a bootstrap over users, paired by seed."
    return Figure("Gain over ID-only target attention", caption, drawings)


def _panel(title: str, spans: Mapping[str, tuple[float, ...]], reference: float | None) -> Drawing:
    """Draws one row per model: a dot, and a line from the second to the third value."""
    values = [value for span in spans.values() for value in span]
    values += [] if reference is None else [reference]
    low, high = svg.padded(values or [0, 1])
    height, left = _ROW * len(spans) + 40, svg.room_for([_title(model) for model in spans])
    panel = svg.Panel((low, high), (len(spans) - 0.5, -0.5), height=height, left=left)
    panel.x_axis(svg.ticks(low, high, wanted=5), grid=True)
    if reference is not None:
        panel.rule((reference, -0.5), (reference, len(spans) - 0.5))
    for at, (model, (middle, left, right)) in enumerate(spans.items()):
        panel.row_name(at, _title(model))
        panel.rule((left, at), (right, at), "whisker")
        digits = 4 if reference is None else 2
        shown = ", ".join(formats.fixed(value, digits) for value in (middle, left, right))
        color = "s1" if model == "dmf" else "s2"
        panel.dot((middle, at), color, f"{_title(model)}: {shown}")
    return Drawing(title, panel.svg(f"{title} by model."))


def _calibration(rows: Sequence[Mapping[str, Any]]) -> Figure:
    points = {}
    for row in rows:
        if row["model"] in _CALIBRATED:
            bins = [(one["predicted"], one["observed"]) for one in row["calibration_curve"]]
            points[row["model"]] = [(x, 100 * (y - x)) for x, y in bins]
    low, high = svg.padded([0, *(y for line in points.values() for _, y in line)], 0.12, 0.2)
    panel = svg.Panel((0, 1), (low, high), x_label="predicted probability", height=320)
    panel.y_axis(svg.ticks(low, high))
    panel.x_axis(svg.ticks(0, 1, formats.percent))
    panel.rule((0, 0), (1, 0))
    for model, line in points.items():
        panel.line(line, _CALIBRATED[model])
        for x, y in line:
            tip = (
                f"{_title(model)}: predicted {formats.percent(x, 1)}, {formats.fixed(y, 1)} points"
            )
            panel.dot((x, y), _CALIBRATED[model], tip)
    return Figure(
        "Calibration, in bins of equal size",
        "Predictions of all seeds together; 0 is perfect.",
        [Drawing("Observed minus predicted, points", panel.svg("Calibration by model."))],
        [Key(_CALIBRATED[model], _title(model), "line") for model in points],
    )
