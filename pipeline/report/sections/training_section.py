"""Loss and AUC along the training of each model, and why each ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Details, Drawing, Figure, Key, Section, Table

_COLORS = {"dmf": "s1", "id_only": "s2", "early_fusion": "s3", "validation": "s1", "test": "s3"}
_CURVES = (("logloss", "Log loss"), ("auc", "AUC"))
_COLUMNS = {
    "Train log loss": "logloss",
    "Train AUC": "auc",
    "Validation log loss": "val_logloss",
    "Validation AUC": "val_auc",
}


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the curves, or None where no model has two evaluations."""
    histories = {
        name: points
        for name in formats.mapping(data, "training")
        if len(points := _history(data, name)) > 1
    }
    drawings = [drawing for pair in _CURVES if (drawing := _drawing(histories, *pair)) is not None]
    if not drawings:
        return None
    legend = [
        *(Key(color(name), _name(data, name), "line") for name in histories),
        Key("", "validation", "line"),
        Key("", "train, as it goes", "dashed"),
    ]
    ends = " ".join(_end(data, name) for name in histories).strip()
    figure = Figure("Training curves", ends, drawings, legend)
    question = "Did training help, and did it stop in time?"
    return Section("training", "Training", question, [figure, *_evaluations(histories)])


def color(series: str) -> str:
    """Returns the class of a model's or a split's series, the same in the whole report."""
    return _COLORS.get(series, "s4")


def _name(data: Mapping[str, Any], name: str) -> str:
    speed = formats.number(data, "training", name, "candidates_per_second")
    rate = f", {formats.count(speed)} candidates per second" if speed else ""
    return f"{formats.model_name(name)}{rate}"


def _end(data: Mapping[str, Any], name: str) -> str:
    """Returns why a training ended; nothing for one of an earlier version."""
    sentence = formats.dig(data, "training", name, "stopped", "sentence")
    return f"{formats.model_name(name)}: {sentence}." if isinstance(sentence, str) else ""


def _evaluations(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Details]:
    """Returns one table per model with the metrics of every evaluation."""
    columns = {title: formats.cell(formats.fixed, key) for title, key in _COLUMNS.items()}
    return [
        Details(
            f"Evaluations of {formats.model_name(name)} ({len(points)})",
            Table.of("Step", [(formats.count(one["step"]), one) for one in points], columns),
        )
        for name, points in histories.items()
    ]


def _history(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    points = formats.records(data, "training", name, "history")
    return [point for point in points if formats.number(point, "step") is not None]


def _series(points: Sequence[Mapping[str, Any]], key: str) -> list[svg.Point]:
    return [
        (point["step"], value)
        for point in points
        if (value := formats.number(point, key)) is not None
    ]


def _drawing(
    histories: Mapping[str, Sequence[Mapping[str, Any]]], key: str, title: str
) -> Drawing | None:
    lines = [
        (name, _series(points, f"{prefix}{key}"), not prefix)
        for name, points in histories.items()
        for prefix in ("", "val_")
    ]
    lines = [line for line in lines if line[1]]
    if not lines:
        return None
    steps = [step for _, line, _ in lines for step, _ in line]
    low, high = svg.padded([value for _, line, _ in lines for _, value in line])
    panel = svg.Panel((min(steps), max(steps)), (low, high), x_label="step", left=56)
    panel.axes()
    for name, line, dashed in reversed(lines):
        panel.line(line, color(name), dashed)
        if not dashed:
            for step, value in line:
                tip = f"{formats.model_name(name)}, step {step:,}: {title} {value:.4f}"
                panel.dot((step, value), color(name), tip, 3)
    return Drawing(title, panel.svg(f"{title} by step of each model"))
