"""Where the attention goes, and its bias by behavior type, over buckets of similarity."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing, Figure, Key

_TYPE_COLORS = ("s1", "s3", "s4", "s2")
_LEAST_SHARE = 0.01


def mass_figure(data: Mapping[str, Any]) -> Figure | None:
    """Returns the share of attention beside the share of behaviors, a drawing a modality."""
    drawings = []
    for name in formats.mapping(data, "attention_mass"):
        one = formats.mapping(data, "attention_mass", name)
        bounds = _bounds(one)
        mass, behaviors = (_table(one.get(key), len(bounds)) for key in ("mass", "behaviors"))
        if mass is None or behaviors is None or mass.shape != behaviors.shape or not mass.sum():
            continue
        both = np.stack([mass.sum(axis=0), behaviors.sum(axis=0)])
        caption = _mass_sentence(bounds, *both)
        title = name.capitalize()
        drawings.append(Drawing(title, _bars(bounds, both).svg(f"{title}. {caption}"), caption))
    if not drawings:
        return None
    legend = [Key("s1", "share of attention"), Key("backdrop", "share of behaviors")]
    split = data.get("split") or "test"
    caption = (
        "A blue bar above its gray one: more attention than behaviors treated alike would get."
    )
    return Figure(f"Attention by similarity, {split} requests", caption, drawings, legend)


def type_figure(data: Mapping[str, Any]) -> Figure | None:
    """Returns the bias by bucket, a line a behavior type, or None with a single type."""
    drawings, types = [], 0
    for name in formats.mapping(data, "bucket_effect"):
        one = formats.mapping(data, "bucket_effect", name)
        bounds = _bounds(one)
        bias = _table(one.get("bias_by_type"), len(bounds))
        if bias is None or len(bias) < 2:
            continue
        caption = _type_sentence(bounds, bias)
        title = name.capitalize()
        drawings.append(Drawing(title, _lines(bounds, bias).svg(f"{title}. {caption}"), caption))
        types = max(types, len(bias))
    if not drawings:
        return None
    legend = [Key(_color(kind), f"type {kind}", "line") for kind in range(types)]
    return Figure("Attention bias by similarity bucket and behavior type", "", drawings, legend)


def _bounds(one: Mapping[str, Any]) -> list[float]:
    edges = [edge for edge in one.get("edges") or [] if formats.number(edge) is not None]
    return [-1.0, *edges, 1.0]


def _table(values: Any, buckets: int) -> np.ndarray | None:
    """Returns values by type and bucket, the mean over heads, `[Y, B]`; None if they do not fit."""
    try:
        table = np.array(values, np.float64)
    except (TypeError, ValueError):
        return None
    if table.ndim == 3:
        table = table.mean(axis=2)
    fits = table.ndim == 2 and table.shape[1] == buckets and bool(np.isfinite(table).all())
    return table if fits else None


def _color(kind: int) -> str:
    return _TYPE_COLORS[kind % len(_TYPE_COLORS)]


def _bucket(bounds: Sequence[float], index: int) -> str:
    """Names a known bucket, counted from 1; 0 is the unknown one."""
    if not index:
        return "unknown similarity"
    low, high = (formats.fixed(bound, 2) for bound in bounds[index - 1 : index + 1])
    return f"cosines {low} to {high}"


def _mass_sentence(bounds: Sequence[float], mass: np.ndarray, behaviors: np.ndarray) -> str:
    common = np.flatnonzero(behaviors >= _LEAST_SHARE)
    ratio = mass / np.maximum(behaviors, 1e-12)
    most, least = (int(common[find(ratio[common])]) for find in (np.argmax, np.argmin))
    return (
        f"Attention exceeds an even one most for {_bucket(bounds, most)} "
        f"({ratio[most]:.2f} times the share of behaviors) and least for "
        f"{_bucket(bounds, least)} ({ratio[least]:.2f} times), among buckets with 1% of the "
        f"behaviors or more; {formats.percent(float(mass[0]), 1)} goes to unknown similarity."
    )


def _type_sentence(bounds: Sequence[float], bias: np.ndarray) -> str:
    ranges = []
    for kind, row in enumerate(bias):
        top = int(np.argmax(row[1:])) + 1
        ranges.append(
            f"type {kind} from {formats.signed(float(row[1:].min()), 3)} to "
            f"{formats.signed(float(row[top]), 3)}, highest for {_bucket(bounds, top)}"
        )
    return f"The bias of known similarity: {'; '.join(ranges)}."


def _shown(bounds: Sequence[float], used: np.ndarray) -> tuple[int, int]:
    """Returns the first and past the last known bucket that anything is in."""
    at = np.flatnonzero(used[1:])
    return (int(at[0]), int(at[-1]) + 1) if len(at) else (0, len(bounds) - 1)


def _bars(bounds: Sequence[float], both: np.ndarray) -> svg.Panel:
    first, last = _shown(bounds, both.sum(axis=0) > 0)
    ends = bounds[first], bounds[last]
    top = 1.08 * float(both[:, first + 1 : last + 1].max(initial=1e-6))
    panel = svg.Panel(ends, (0, top), x_label="cosine", left=56)
    panel.y_axis(svg.ticks(0, top, formats.percent))
    panel.x_axis(svg.ticks(*ends))
    for index in range(first, last):
        low, high = bounds[index], bounds[index + 1]
        mass, behaviors = both[:, index + 1].tolist()
        tip = (
            f"{_bucket(bounds, index + 1)}: {formats.percent(mass, 1)} of attention, "
            f"{formats.percent(behaviors, 1)} of behaviors"
        )
        edge = 0.06 * (high - low)
        panel.bar((low + edge, high - edge), (0, behaviors), "backdrop", tip)
        inner = 0.28 * (high - low)
        panel.bar((low + inner, high - inner), (0, mass), "s1", tip)
    return panel


def _lines(bounds: Sequence[float], bias: np.ndarray) -> svg.Panel:
    first, last = _shown(bounds, (bias != 0).any(axis=0))
    ends = bounds[first], bounds[last]
    low, high = svg.padded([0, *bias[:, first + 1 : last + 1].ravel().tolist()], 0.1, 0.01)
    panel = svg.Panel(ends, (low, high), x_label="cosine", left=56)
    panel.y_axis(svg.ticks(low, high))
    panel.x_axis(svg.ticks(*ends))
    panel.rule((ends[0], 0), (ends[1], 0), "zero")
    for kind, row in enumerate(bias[:, 1:].tolist()):
        points: list[svg.Point] = []
        for index in range(first, last):
            points += [(bounds[index], row[index]), (bounds[index + 1], row[index])]
        panel.line(points, _color(kind))
    return panel
