"""Predicted against observed probabilities."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Figure, Key, Section
from pipeline.report.sections.training_section import color

Bin = tuple[float, float, int]
"""Mean prediction, observed share of positives, and candidates of a bin."""


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the curves, or None where no model has one."""
    curves = {
        name: curve for name in formats.mapping(data, "metrics") if (curve := _curve(data, name))
    }
    if not curves:
        return None
    label = data.get("label") or "label"
    residuals = [100 * (one[1] - one[0]) for curve in curves.values() for one in curve]
    share = svg.Panel((0, 1), (0, 1), x_label=f"predicted probability of {label}", height=320)
    share.axes(formats.percent, formats.percent)
    share.rule((0, 0), (1, 1))
    points = svg.padded([0, *residuals], 0.12, 0.2)
    difference = svg.Panel((0, 1), points, x_label="predicted probability", height=320)
    difference.axes(formats.percent)
    difference.rule((0, 0), (1, 0))
    for name, curve in reversed(list(curves.items())):
        for panel, scale, slope in ((share, 1, 0), (difference, 100, 1)):
            at = [(one[0], scale * (one[1] - slope * one[0])) for one in curve]
            panel.line(at, color(name))
            for point, (predicted, observed, n) in zip(at, curve, strict=True):
                tip = (
                    f"{formats.model_name(name)}: predicted {formats.percent(predicted, 1)}, "
                    f"observed {formats.percent(observed, 1)} of {n:,} candidates"
                )
                panel.dot(point, color(name), tip)
    figure = Figure(
        "Calibration, in bins of equal size",
        "",
        [
            share.drawing(f"Observed share {label}", "Observed share by predicted share"),
            difference.drawing(
                "Observed minus predicted, points", "Observed minus predicted share, in points"
            ),
        ],
        [
            *(Key(color(name), _name(name, curve), "line") for name, curve in curves.items()),
            Key("", "predicted = observed", "rule"),
        ],
    )
    question = "Do the probabilities mean what they say?"
    return Section("calibration", "Calibration", question, [figure])


def _curve(data: Mapping[str, Any], name: str) -> list[Bin]:
    found = []
    for one in formats.records(data, "metrics", name, "calibration_curve"):
        predicted, observed = formats.number(one, "predicted"), formats.number(one, "observed")
        if predicted is not None and observed is not None:
            found.append((predicted, observed, int(formats.number(one, "count") or 0)))
    return sorted(found)


def _name(name: str, curve: list[Bin]) -> str:
    """Returns a model's name with its mean calibration error over candidates."""
    candidates = sum(n for *_, n in curve)
    error = sum(n * abs(observed - predicted) for predicted, observed, n in curve)
    mean = 100 * error / candidates if candidates else None
    return f"{formats.model_name(name)}: {formats.fixed(mean, 1)} points off on average"
