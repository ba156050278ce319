"""The quality benchmark's output for people: a table in Markdown, and a page of pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.ranking_study import dot_panel, rank_report
from benchmarks.ranking_study.dot_panel import title_of
from pipeline.report import formats, page, svg
from pipeline.report.blocks import Details, Drawing, Figure, Key, ReportBlock, Section, Table

_CALIBRATED = {"dmf": "s1", "gradient_boosting": "s3", "early_fusion": "s4", "id_only": "s2"}
"""Models whose calibration is drawn, with their colors."""

HEAD = ("data", "model", "AUC", "GAUC", "GAUC over ID-only, 95%", "NE", "predicted / observed")
"""Titles of the columns."""


def table(result: Mapping[str, Any]) -> str:
    """Returns the benchmark's output as tables in Markdown: ranks, where it has them, and rows."""
    has_ranks = "summary" in result
    rows = [
        (rank_report.name_of(row), *cells(row), *(rank_report.cells(row) if has_ranks else ()))
        for row in result["rows"]
    ]
    head = (*HEAD, *(rank_report.HEAD if has_ranks else ()))
    ranks = [rank_report.table(result)] if has_ranks else []
    return "\n\n".join([*ranks, rank_report.markdown(head, rows)])


def render(result: Mapping[str, Any], path: str) -> None:
    """Writes the benchmark's output as a page of pictures and tables."""
    protocol = result["protocol"]
    sections = []
    if "summary" in result:
        sections.append(rank_report.section(result))
    for name in dict.fromkeys(map(rank_report.name_of, result["rows"])):
        rows = [row for row in result["rows"] if rank_report.name_of(row) == name]
        learned = [row for row in rows if row["model"] != "popularity"]
        question = "Which model ranks best, and by how much more than ID-only?"
        blocks: list[ReportBlock] = [
            Table(HEAD[1:], [cells(row) for row in rows]),
            _dots(learned),
            _gains(learned),
            _calibration(rows),
        ]
        if "summary" in result:
            texts = [(title_of(row["model"]), *rank_report.cells(row)) for row in rows]
            blocks.insert(1, Table(("model", *rank_report.HEAD), texts))
        title = name.replace("_", " ").capitalize()
        sections.append(Section(name, title, question, blocks))
    sections.append(Section("protocol", "Protocol", "How was it measured?", _facts(result)))
    size = f"seeds: up to {protocol['seeds']}; settings tried for each model: {protocol['trials']}"
    page.write(path, "Models against each other", f"Test split, scored once; {size}", sections)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns a row as texts under `HEAD`, without the split."""
    gain = row.get("gauc_difference")
    return (
        title_of(row["model"]),
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
    if "processor_hours" in result:
        facts["processor hours of the final runs"] = formats.fixed(result["processor_hours"], 1)
    rows = Table((), [(name, str(value)) for name, value in facts.items()], numeric=False)
    head = ("model", "setting", "data", "validation AUC", "validation GAUC", "seconds")
    tried = [
        (
            title_of(model),
            _setting(trial["setting"]),
            name,
            formats.fixed(one["validation"]["auc"]),
            formats.fixed(one["validation"]["gauc"]),
            formats.fixed(one["seconds"], 0),
        )
        for model, trials in result["tuning"].items()
        for trial in trials
        # Earlier versions tuned on the first split alone.
        for name, one in trial.get("data", {"": trial}).items()
    ]
    if not tried:
        return [rows]
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
        drawings.append(dot_panel.panel(figure.upper(), spans))
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
        drawings.append(dot_panel.panel(f"{figure.upper()} over ID-only, percent", spans, 0.0, 2))
    caption = "Lines are 95% intervals of a bootstrap over users, paired by seed."
    return Figure("Gain over ID-only target attention", caption, drawings)


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
            shown = f"predicted {formats.percent(x, 1)}, {formats.fixed(y, 1)} points"
            panel.dot((x, y), _CALIBRATED[model], f"{title_of(model)}: {shown}")
    return Figure(
        "Calibration, in bins of equal size",
        "Predictions of all seeds together; 0 is perfect.",
        [Drawing("Observed minus predicted, points", panel.svg("Calibration by model."))],
        [Key(_CALIBRATED[model], title_of(model), "line") for model in points],
    )
