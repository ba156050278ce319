"""Does content carry signal? Cosines of candidate and behavior, by the candidate's label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.embeddings import similarity
from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing, Figure, Key, Section

_BUCKETS = 20
_LEAST_PAIRS = 1000
_TAIL = 0.001


@dataclass(frozen=True)
class _Counts:
    """Pairs by similarity code, `[256]` each, unknown ones left out."""

    negative: np.ndarray
    positive: np.ndarray

    @property
    def both(self) -> np.ndarray:
        return self.negative + self.positive


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns a figure a modality, or None without similarity counts."""
    label = data.get("label") or "label"
    figures = []
    for name, one in formats.mapping(data, "manifest", "similarity").items():
        codes = [formats.dig(one, key) for key in ("label_0", "label_1")]
        if all(isinstance(code, list) and len(code) == similarity.CODES for code in codes):
            negative, positive = (np.array(code, np.float64) for code in codes)
            unknown = (negative[0] + positive[0]) / max(negative.sum() + positive.sum(), 1)
            negative[0] = positive[0] = 0
            if negative.sum() and positive.sum():
                figures.append(_figure(name, label, _Counts(negative, positive), unknown))
    question = "Is a candidate that looks like the history a better one?"
    return Section("similarity", "Similarity", question, figures) if figures else None


def _figure(name: str, label: str, counts: _Counts, unknown: float) -> Figure:
    rates = _rates(counts)
    caption = _caption(name, label, counts, rates, unknown)
    return Figure(
        f"{name.capitalize()} similarity, train split",
        caption,
        [
            Drawing("Density of the cosine", _density(counts).svg(caption)),
            Drawing(
                f"Share {label} by cosine; a dot's size is its number of pairs",
                _rate_panel(counts, label, rates).svg(caption),
            ),
        ],
        [Key("s1", label), Key("s2", f"not {label}"), Key("", f"all pairs' share {label}", "rule")],
    )


def _caption(
    name: str, label: str, counts: _Counts, rates: list[tuple[float, float, int]], unknown: float
) -> str:
    cosine = np.nan_to_num(similarity.cosine_of_code(np.arange(similarity.CODES)))
    means = [np.average(cosine, weights=one) for one in (counts.positive, counts.negative)]
    text = (
        f"Mean cosine {formats.fixed(means[0], 3)} with {label} candidates and "
        f"{formats.fixed(means[1], 3)} with others; one drawn from the first is the higher in "
        f"{formats.percent(_separation(counts), 1)} of draws (50% is no difference)"
    )
    if len(rates) > 1:
        low, high = (pick(rates, key=lambda one: one[1]) for pick in (min, max))
        text += (
            f"; the share {label} runs from {formats.percent(low[1])} around "
            f"{formats.fixed(low[0], 2)} to {formats.percent(high[1])} around "
            f"{formats.fixed(high[0], 2)}"
        )
    if unknown:
        text += f"; {formats.percent(unknown, 1)} of pairs lack an embedding"
    return f"{text}."


def _separation(counts: _Counts) -> float:
    """The AUC of the cosine by itself, over pairs."""
    below = np.cumsum(counts.negative) - counts.negative
    wins = np.sum(counts.positive * (below + counts.negative / 2))
    return float(wins / (counts.positive.sum() * counts.negative.sum()))


def _rates(counts: _Counts) -> list[tuple[float, float, int]]:
    """Middle, share positive and pairs of each bucket that has enough pairs."""
    edges = similarity.uniform_edges(_BUCKETS)
    bucket = similarity.bucket_of_code(edges)
    pairs = np.bincount(bucket, counts.both)
    positive = np.bincount(bucket, counts.positive)
    middle = (np.array([-1, *edges]) + np.array([*edges, 1])) / 2
    return [
        (float(middle[index - 1]), float(positive[index] / pairs[index]), int(pairs[index]))
        for index in range(1, len(pairs))
        if pairs[index] >= _LEAST_PAIRS
    ]


def _density(counts: _Counts) -> svg.Panel:
    known = np.flatnonzero(counts.both)
    share = np.cumsum(counts.both[known]) / counts.both.sum()
    low = max(int(known[share >= _TAIL][0]) - 2, 1)
    high = min(int(known[share >= 1 - _TAIL][0]) + 2, similarity.CODES - 1)
    cosine = similarity.cosine_of_code(np.arange(low, high + 1))
    step = 1 / 127
    lines = [one[low : high + 1] / one.sum() / step for one in (counts.negative, counts.positive)]
    top = 1.06 * max(float(line.max()) for line in lines)
    panel = svg.Panel((float(cosine[0]), float(cosine[-1])), (0, top), x_label="cosine")
    panel.y_axis(svg.ticks(0, top, wanted=4))
    panel.x_axis(svg.ticks(float(cosine[0]), float(cosine[-1])))
    for line, color in zip(lines, ("s2", "s1"), strict=True):
        points = list(zip(cosine.tolist(), line.tolist(), strict=True))
        panel.area(points, color)
        panel.line(points, color)
    return panel


def _rate_panel(counts: _Counts, label: str, rates: list[tuple[float, float, int]]) -> svg.Panel:
    overall = float(counts.positive.sum() / counts.both.sum())
    low, high = svg.padded([overall, *(rate for _, rate, _ in rates)], 0.15, 0.01)
    left = min([middle for middle, _, _ in rates], default=-1) - 0.05
    right = max([middle for middle, _, _ in rates], default=1) + 0.05
    panel = svg.Panel((left, right), (max(low, 0), min(high, 1)), x_label="cosine")
    panel.y_axis(svg.ticks(max(low, 0), min(high, 1), lambda v: formats.percent(v), 5))
    panel.x_axis(svg.ticks(left, right))
    panel.rule((left, overall), (right, overall))
    if rates:
        panel.line([(middle, rate) for middle, rate, _ in rates], "s1")
    most = max((pairs for *_, pairs in rates), default=1)
    for middle, rate, pairs in rates:
        tip = f"cosine {middle:.2f}: {formats.percent(rate, 1)} {label} of {pairs:,} pairs"
        panel.dot((middle, rate), "s1", tip, radius=round(2.5 + 5 * (pairs / most) ** 0.5, 1))
    return panel
