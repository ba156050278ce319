"""What the attention learned of similarity: its bias by bucket, and where it goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.embeddings import similarity
from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing, Figure, Key, Section
from pipeline.report.sections import attention_figures

_HEAD_COLORS = ("s1", "s3", "s4", "s2")
_LEAST_SHARE = 0.001
_BACKDROP = 0.3


@dataclass(frozen=True)
class _Buckets:
    """A modality's known buckets, and the unknown one.

    Attributes:
      bounds: -1, the inner edges, 1.
      bias: of the known buckets, a row of heads each.
      unknown: of the heads.
      share: of train's pairs in each known bucket, None where it was not counted.
    """

    bounds: Sequence[float]
    bias: Sequence[Sequence[float]]
    unknown: Sequence[float]
    share: Sequence[float] | None


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns figures with a drawing a modality, or None where nothing is known."""
    found = [
        _bias_figure(data),
        attention_figures.type_figure(data),
        attention_figures.mass_figure(data),
    ]
    figures = [figure for figure in found if figure is not None]
    question = "Which behaviors has the model learned to look at?"
    return Section("attention", "Attention", question, figures) if figures else None


def _bias_figure(data: Mapping[str, Any]) -> Figure | None:
    drawings, heads, counted = [], 1, False
    for name in formats.mapping(data, "bucket_effect"):
        buckets = _buckets(data, name)
        if buckets is None:
            continue
        title, caption = name.capitalize(), _sentence(buckets)
        drawings.append(Drawing(title, _panel(buckets).svg(f"{title}. {caption}"), caption))
        heads = max(heads, len(buckets.unknown))
        counted = counted or buckets.share is not None
    if not drawings:
        return None
    names = [f"head {head + 1}" for head in range(heads)] if heads > 1 else ["known similarity"]
    legend = [Key(_color(head), name, "line") for head, name in enumerate(names)]
    legend.append(Key("", "unknown similarity", "rule"))
    if counted:
        legend.append(Key("backdrop", "where train's pairs are, not to scale"))
    caption = (
        "What the model adds to a behavior's score by its similarity to the candidate: the higher, "
        "the more attention."
    )
    return Figure("Attention bias by similarity bucket", caption, drawings, legend)


def _buckets(data: Mapping[str, Any], name: str) -> _Buckets | None:
    one = formats.mapping(data, "bucket_effect", name)
    edges = [edge for edge in one.get("edges") or [] if formats.number(edge) is not None]
    rows = [_heads(row) for row in one.get("bias") or []]
    if len(rows) != len(edges) + 2 or not all(rows) or len(set(map(len, rows))) != 1:
        return None
    return _Buckets([-1.0, *edges, 1.0], rows[1:], rows[0], _shares(data, name, edges))


def _heads(row: Any) -> list[float]:
    values = row if isinstance(row, (list, tuple)) else [row]
    found = [value for one in values if (value := formats.number(one)) is not None]
    return found if len(found) == len(values) else []


def _shares(data: Mapping[str, Any], name: str, edges: Sequence[float]) -> list[float] | None:
    by_label = formats.mapping(data, "manifest", "similarity", name)
    codes = [by_label.get(key) for key in ("label_0", "label_1")]
    if not all(isinstance(code, list) and len(code) == similarity.CODES for code in codes):
        return None
    pairs = np.bincount(
        similarity.bucket_of_code(edges),
        np.array(codes, np.float64).sum(axis=0),
        minlength=len(edges) + 2,
    )[1:]
    return (pairs / pairs.sum()).tolist() if pairs.sum() else None


def _color(head: int) -> str:
    return _HEAD_COLORS[head % len(_HEAD_COLORS)]


def _sentence(buckets: _Buckets) -> str:
    means = [sum(row) / len(row) for row in buckets.bias]
    used = [
        index
        for index in range(len(means))
        if buckets.share is None or buckets.share[index] >= _LEAST_SHARE
    ] or list(range(len(means)))
    high, low = max(used, key=means.__getitem__), min(used, key=means.__getitem__)

    def bucket(index: int) -> str:
        start, end = (formats.fixed(bound, 2) for bound in buckets.bounds[index : index + 2])
        return f"{formats.signed(means[index], 3)} for cosines {start} to {end}"

    among = "" if buckets.share is None else " among buckets with 0.1% of the pairs or more"
    return (
        f"The bias is highest, {bucket(high)}, and lowest, {bucket(low)}{among}; unknown "
        f"similarity has {formats.signed(sum(buckets.unknown) / len(buckets.unknown), 3)}."
    )


def _shown(buckets: _Buckets) -> slice:
    """From the first to the last bucket that has pairs, all where they were not counted."""
    seen = [index for index, share in enumerate(buckets.share or []) if share]
    return slice(seen[0], seen[-1] + 1) if seen else slice(0, len(buckets.bias))


def _panel(buckets: _Buckets) -> svg.Panel:
    values = [value for row in (*buckets.bias, buckets.unknown) for value in row]
    low, high = svg.padded([0, *values], 0.1, 0.01)
    shown = _shown(buckets)
    bounds = buckets.bounds[shown.start : shown.stop + 1]
    ends = bounds[0], bounds[-1]
    panel = svg.Panel(ends, (low, high), x_label="cosine", left=56)
    if buckets.share is not None:
        scale = _BACKDROP * (high - low) / max(buckets.share)
        for index, share in enumerate(buckets.share[shown]):
            if share:
                tip = f"{formats.percent(share, 1)} of pairs"
                top = low + scale * share
                panel.bar((bounds[index], bounds[index + 1]), (low, top), "backdrop", tip)
    panel.y_axis(svg.ticks(low, high))
    panel.x_axis(svg.ticks(*ends))
    panel.rule((ends[0], 0), (ends[1], 0), "zero")
    for head, unknown in enumerate(buckets.unknown):
        points: list[svg.Point] = []
        for index, row in enumerate(buckets.bias[shown]):
            points += [(bounds[index], row[head]), (bounds[index + 1], row[head])]
        panel.line(points, _color(head))
        panel.rule((ends[0], unknown), (ends[1], unknown))
    return panel
