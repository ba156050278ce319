"""Do predicted probabilities mean what they say?"""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing, Figure, Key, Section
from pipeline.report.sections.training_section import color

Bin = tuple[float, float, int]


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the curves, or None where no model has one."""
    curves = {
        name: curve for name in formats.mapping(data, "metrics") if (curve := _curve(data, name))
    }
    if not curves:
        return None
    label = data.get("label") or "label"
    caption = f"{'; '.join(_sentence(name, curve) for name, curve in curves.items())}."
    figure = Figure(
        "Calibration, in bins of equal size",
        caption,
        [
            Drawing(f"Observed share {label}", _reliability(curves, label).svg(caption)),
            Drawing("Observed minus predicted, points", _residual(curves).svg(caption)),
        ],
        [
            *(Key(color(name), formats.model_name(name), "line") for name in curves),
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


def _sentence(name: str, curve: list[Bin]) -> str:
    candidates = sum(n for *_, n in curve)
    error = sum(n * abs(observed - predicted) for predicted, observed, n in curve)
    mean = 100 * error / candidates if candidates else None
    predicted, observed, _ = max(curve, key=lambda one: abs(one[1] - one[0]))
    return (
        f"{formats.model_name(name)} is {formats.fixed(mean, 1)} points off on average, most at "
        f"a predicted {formats.percent(predicted)} where {formats.percent(observed)} is observed"
    )


def _reliability(curves: Mapping[str, list[Bin]], label: str) -> svg.Panel:
    panel = svg.Panel((0, 1), (0, 1), x_label=f"predicted probability of {label}", height=320)
    panel.y_axis(svg.ticks(0, 1, formats.percent))
    panel.x_axis(svg.ticks(0, 1, formats.percent))
    panel.rule((0, 0), (1, 1))
    for name, curve in reversed(list(curves.items())):
        panel.line([one[:2] for one in curve], color(name))
        for predicted, observed, n in curve:
            panel.dot((predicted, observed), color(name), _tip(name, predicted, observed, n))
    return panel


def _residual(curves: Mapping[str, list[Bin]]) -> svg.Panel:
    values = [100 * (one[1] - one[0]) for curve in curves.values() for one in curve]
    low, high = svg.padded([0, *values], 0.12, 0.2)
    panel = svg.Panel((0, 1), (low, high), x_label="predicted probability", height=320)
    panel.y_axis(svg.ticks(low, high))
    panel.x_axis(svg.ticks(0, 1, formats.percent))
    panel.rule((0, 0), (1, 0))
    for name, curve in reversed(list(curves.items())):
        panel.line([(one[0], 100 * (one[1] - one[0])) for one in curve], color(name))
        for predicted, observed, n in curve:
            at = (predicted, 100 * (observed - predicted))
            panel.dot(at, color(name), _tip(name, predicted, observed, n))
    return panel


def _tip(name: str, predicted: float, observed: float, n: int) -> str:
    return (
        f"{formats.model_name(name)}: predicted {formats.percent(predicted, 1)}, observed "
        f"{formats.percent(observed, 1)} of {n:,} candidates"
    )
