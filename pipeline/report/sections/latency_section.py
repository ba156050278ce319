"""How long one request takes in each model."""

import operator
from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Figure, Key, Section
from pipeline.report.sections.training_section import color


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the bars, or None where no model was timed."""
    models = formats.mapping(data, "latency", "models")
    medians = {name: median for name in models if (median := _ms(data, name, "p50")) is not None}
    if not medians:
        return None
    medians = dict(sorted(medians.items(), key=operator.itemgetter(1)))
    title = "Median, whisker to the 99th percentile, ms"
    drawings = [_bars(data, medians).drawing(title, f"Latency of each model: {title}")]
    samples = {name: found for name in medians if len(found := _samples(data, name)) > 1}
    if samples:
        title = "Share of calls that took less"
        drawings.append(_shares(samples).drawing(title, f"{title}, by ms of each model"))
    legend = [Key(color(name), formats.model_name(name)) for name in medians]
    shape = [
        f"{formats.count(formats.number(data, 'latency', key))} {unit}"
        for key, unit in (("candidates", "candidates"), ("history_length", "behaviors"))
        if formats.number(data, "latency", key) is not None
    ]
    title = "Latency of one request" + (f" of {' and '.join(shape)}" if shape else "")
    question = "What does content cost while a user waits?"
    return Section("latency", "Latency", question, [Figure(title, "", drawings, legend)])


def _ms(data: Mapping[str, Any], name: str, figure: str) -> float | None:
    return formats.number(data, "latency", "models", name, f"{figure}_ms")


def _samples(data: Mapping[str, Any], name: str) -> list[float]:
    found = formats.dig(data, "latency", "models", name, "samples_ms") or []
    return sorted(value for one in found if (value := formats.number(one)) is not None)


def _bars(data: Mapping[str, Any], medians: Mapping[str, float]) -> svg.Panel:
    longest = {name: _ms(data, name, "p99") for name in medians}
    top = 1.2 * max(one or 0 for one in (*medians.values(), *longest.values()))
    left, rows = svg.room_for([formats.model_name(name) for name in medians]), len(medians)
    panel = svg.Panel((0, top), (rows, 0), left=left, height=38 + 62 * rows)
    panel.x_axis(svg.ticks(0, top, wanted=4), grid=True)
    for row, (name, p50) in enumerate(medians.items()):
        p99, title = longest[name], formats.model_name(name)
        panel.row_name(row + 0.5, title, f"{formats.significant(p50)} ms")
        tip = f"{title}: median {p50:.2f} ms, 99th percentile {formats.fixed(p99, 2)} ms"
        panel.bar((0, p50), (row + 0.24, row + 0.76), color(name), tip)
        if p99 is not None:
            panel.rule((p50, row + 0.5), (p99, row + 0.5), "whisker")
            panel.rule((p99, row + 0.38), (p99, row + 0.62), "whisker")
            panel.note((p99, row + 0.5), formats.significant(p99), shift=(7, 4), css="faint")
    return panel


def _shares(samples: Mapping[str, list[float]]) -> svg.Panel:
    top = max(line[-1] for line in samples.values())
    bottom = min(line[0] for line in samples.values())
    low, high = svg.padded([bottom, top], 0.04)
    panel = svg.Panel((max(low, 0), high), (0, 1), x_label="ms", height=38 + 62 * len(samples) + 18)
    panel.y_axis(svg.ticks(0, 1, formats.percent, 4))
    panel.x_axis(svg.ticks(max(low, 0), high))
    for name, line in samples.items():
        shares = [index / len(line) for index in range(len(line) + 1)]
        panel.steps([line[0], *line, line[-1]], shares, color(name))
    return panel
