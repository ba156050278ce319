"""Events and label rates by time, of the log and of the joined examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Figure, Key, Section

_LEAST_KNOWN = 30
_DAY = 86_400_000_000
_PARTS = (("log", "The log", "events"), ("examples", "Joined examples", "candidates"))
_UNITS = ((_DAY, "day"), (3_600_000_000, "hour"), (60_000_000, "minute"), (1_000_000, "second"))

Buckets = Sequence[Mapping[str, Any]]


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns a figure for the log and one for the examples, or None without either."""
    figures = [
        _figure(f"{title}, by {_length(formats.number(time, 'width') or 1)}", event, time)
        for part, title, event in _PARTS
        if formats.records(time := formats.mapping(data, "statistics", part, "time"), "buckets")
    ]
    question = "Do events and labels come evenly, or does something stop?"
    return Section.of("time", "Time", question, figures)


def _figure(title: str, event: str, time: Mapping[str, Any]) -> Figure:
    width, buckets = formats.number(time, "width") or 1, formats.records(time, "buckets")
    starts = [formats.number(bucket, "start") or 0 for bucket in buckets]
    span = (starts[0], starts[-1] + width)
    labels = list(formats.mapping(buckets[0], "labels"))
    panel = _events(event, span, width, buckets)
    drawings = [panel.drawing(event.capitalize(), f"{event.capitalize()} by time, in UTC")]
    if rates := _rates(span, width, buckets, labels):
        drawings.append(rates.drawing("Share positive", "Share positive by time, in UTC"))
    legend = [
        Key(svg.series_color(index), f"{label}: {_overall(buckets, label)} of all", "line")
        for index, label in enumerate(labels)
    ]
    caption = f"A share is drawn where {_LEAST_KNOWN} or more labels are known."
    return Figure(title, caption, drawings, legend)


def _overall(buckets: Buckets, label: str) -> str:
    known, positives = (
        sum(_count(bucket, label, key) for bucket in buckets) for key in ("known", "positives")
    )
    return formats.percent(positives / known if known else None, 1)


def _events(event: str, span: svg.Point, width: float, buckets: Buckets) -> svg.Panel:
    most = max(formats.number(bucket, "events") or 0 for bucket in buckets)
    panel = svg.Panel(span, (0, 1.06 * most or 1), x_label="UTC", left=62)
    panel.y_axis(svg.ticks(0, most, formats.count, 4))
    _time_axis(panel, span)
    for bucket in buckets:
        start, count = bucket.get("start") or 0, formats.number(bucket, "events")
        if count:
            tip = f"{_when(start, width)}: {formats.count(count)} {event}"
            panel.bar((start + 0.05 * width, start + 0.95 * width), (0, count), "s2", tip)
    return panel


def _rates(
    span: svg.Point, width: float, buckets: Buckets, labels: Sequence[str]
) -> svg.Panel | None:
    lines = {
        label: [
            (bucket.get("start") or 0, _count(bucket, label, "positives") / known, known)
            for bucket in buckets
            if (known := _count(bucket, label, "known")) >= _LEAST_KNOWN
        ]
        for label in labels
    }
    rates = [rate for line in lines.values() for _, rate, _ in line]
    if not rates:
        return None
    low, high = svg.padded(rates, 0.15, 0.005)
    low, high = max(low, 0), min(high, 1)
    panel = svg.Panel(span, (low, high), x_label="UTC", left=62)
    digits = 0 if high - low > 0.08 else 1 if high - low > 0.008 else 2
    panel.y_axis(svg.ticks(low, high, lambda rate: formats.percent(rate, digits), 5))
    _time_axis(panel, span)
    for index, (label, line) in enumerate(lines.items()):
        color = svg.series_color(index)
        if line:
            panel.line([(start + width / 2, rate) for start, rate, _ in line], color)
        for start, rate, known in line:
            tip = f"{_when(start, width)}: {formats.percent(rate, 1)} {label} of {known:,}"
            panel.dot((start + width / 2, rate), color, tip, 3)
    return panel


def _time_axis(panel: svg.Panel, span: svg.Point) -> None:
    """Draws three dates: near the ends and in the middle."""
    low, high = span
    at = [low + share * (high - low) for share in (0.08, 0.5, 0.92)]
    text = formats.moment if high - low < 3 * _DAY else formats.date
    panel.x_axis([(time, text(time)) for time in at])


def _count(bucket: Mapping[str, Any], label: str, key: str) -> int:
    return int(formats.number(bucket, "labels", label, key) or 0)


def _when(start: float, width: float) -> str:
    return formats.date(start) if width >= _DAY else formats.moment(start)


def _length(width: float) -> str:
    size, name = next((unit for unit in _UNITS if width >= unit[0]), (width, "moment"))
    number = round(width / size)
    return f"{number} {name}s" if number > 1 else name
