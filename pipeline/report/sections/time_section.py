"""Events and label rates by time, of the log and of the joined examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing, Figure, Key, Section

_COLORS = ("s1", "s3", "s4", "s2")
_LEAST_KNOWN = 30
_DAY = 86_400_000_000
_UNITS = ((_DAY, "day"), (3_600_000_000, "hour"), (60_000_000, "minute"), (1_000_000, "second"))


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns a figure for the log and one for the examples, or None without either."""
    figures = []
    for part, title, event in (
        ("log", "The log", "events"),
        ("examples", "Joined examples", "candidates"),
    ):
        time = formats.mapping(data, "statistics", part, "time")
        if buckets := formats.records(time, "buckets"):
            figures.append(_figure(title, event, time, buckets))
    question = "Do events and labels come evenly, or does something stop?"
    return Section("time", "Time", question, figures) if figures else None


def _figure(
    title: str, event: str, time: Mapping[str, Any], buckets: Sequence[Mapping[str, Any]]
) -> Figure:
    width = formats.number(time, "width") or 1
    starts = [formats.number(bucket, "start") or 0 for bucket in buckets]
    span = (starts[0], starts[-1] + width)
    labels = list(formats.mapping(buckets[0], "labels"))
    caption = _caption(event, width, buckets, labels)
    drawings = [Drawing(f"{event.capitalize()}", _events(event, span, width, buckets).svg(caption))]
    if panel := _rates(span, width, buckets, labels):
        drawings.append(Drawing("Share positive", panel.svg(caption)))
    legend = [Key(_color(index), label, "line") for index, label in enumerate(labels)]
    return Figure(f"{title}, by {_length(width)}", caption, drawings, legend)


def _caption(
    event: str, width: float, buckets: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> str:
    counts = [formats.number(bucket, "events") or 0 for bucket in buckets]
    parts = [
        f"{formats.count(sum(counts))} {event} in {len(buckets)} stretches of "
        f"{_length(width)}, {formats.count(min(counts))} to {formats.count(max(counts))} each"
    ]
    for label in labels:
        known = [rate for bucket in buckets if (rate := _rate(bucket, label)) is not None]
        if known:
            low, high = formats.percent(min(known), 1), formats.percent(max(known), 1)
            whole = sum(_count(bucket, label, "positives") for bucket in buckets) / sum(
                _count(bucket, label, "known") for bucket in buckets
            )
            parts.append(
                f"{formats.percent(whole, 1)} are {label}, {low} to {high} where there are "
                f"{_LEAST_KNOWN} or more"
            )
    return f"{'; '.join(parts)}."


def _events(
    event: str, span: svg.Point, width: float, buckets: Sequence[Mapping[str, Any]]
) -> svg.Panel:
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
    span: svg.Point, width: float, buckets: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> svg.Panel | None:
    lines = {
        label: [
            ((bucket.get("start") or 0) + width / 2, rate, _count(bucket, label, "known"))
            for bucket in buckets
            if (rate := _rate(bucket, label)) is not None
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
        if line:
            panel.line([(time, rate) for time, rate, _ in line], _color(index))
        for time, rate, known in line:
            tip = (
                f"{_when(time - width / 2, width)}: {formats.percent(rate, 1)} {label} of {known:,}"
            )
            panel.dot((time, rate), _color(index), tip, 3)
    return panel


def _time_axis(panel: svg.Panel, span: svg.Point) -> None:
    """Three dates: at the ends and in the middle."""
    low, high = span
    at = [low + share * (high - low) for share in (0.08, 0.5, 0.92)]
    short = high - low < 3 * _DAY
    panel.x_axis([(time, formats.moment(time) if short else formats.date(time)) for time in at])


def _rate(bucket: Mapping[str, Any], label: str) -> float | None:
    """A bucket's share of positives, None where few are known: it would say little."""
    known = _count(bucket, label, "known")
    return _count(bucket, label, "positives") / known if known >= _LEAST_KNOWN else None


def _count(bucket: Mapping[str, Any], label: str, key: str) -> int:
    return int(formats.number(bucket, "labels", label, key) or 0)


def _when(start: float, width: float) -> str:
    return formats.date(start) if width >= _DAY else formats.moment(start)


def _length(width: float) -> str:
    for size, name in _UNITS:
        if width >= size:
            number = round(width / size)
            return f"{number} {name}s" if number > 1 else name
    return "moment"


def _color(index: int) -> str:
    return _COLORS[index % len(_COLORS)]
