"""Cosines of candidate and behavior, by the candidate's label: does content carry signal?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from features.embeddings import similarity
from pipeline.report import formats, svg
from pipeline.report.blocks import Figure, Key, ReportBlock, Section, Table

_BUCKETS = 20
_LEAST_PAIRS = 1000
_TAIL = 0.001

Rate = tuple[float, float, int]
"""A bucket's middle, its share of positives and its pairs."""


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns a figure and its figures per modality, or None without similarity counts."""
    label = str(data.get("label") or "label")
    blocks: list[ReportBlock] = []
    for name in formats.mapping(data, "manifest", "similarity"):
        codes = pairs_by_code(data, name)
        if codes is None:
            continue
        unknown = codes[:, 0].sum() / max(codes.sum(), 1)
        codes[:, 0] = 0
        if codes.sum(axis=1).all():
            blocks += [_figure(name, label, codes), _facts(label, codes, unknown)]
    question = "Is a candidate that looks like the history a better one?"
    return Section.of("similarity", "Similarity", question, blocks)


def pairs_by_code(data: Mapping[str, Any], name: str) -> np.ndarray | None:
    """Returns a modality's pairs by label and similarity code, `[2, 256]`; None where uncounted."""
    by_label = formats.mapping(data, "manifest", "similarity", name)
    codes = [by_label.get(key) for key in ("label_0", "label_1")]
    fit = all(isinstance(code, list) and len(code) == similarity.CODES for code in codes)
    return np.array(codes, np.float64) if fit else None


def _figure(name: str, label: str, codes: np.ndarray) -> Figure:
    drawings = [
        _density(codes).drawing("Density of the cosine", "Density of the cosine by label"),
        _rate_panel(codes, label).drawing(
            f"Share {label} by cosine; a dot's size is its number of pairs",
            f"Share {label} by cosine",
        ),
    ]
    legend = [Key("s1", label), Key("s2", f"not {label}"), Key("", "all pairs", "rule")]
    return Figure(f"{name.capitalize()} similarity, train split", "", drawings, legend)


def _facts(label: str, codes: np.ndarray, unknown: float) -> Table:
    cosine = np.nan_to_num(similarity.cosine_of_code(np.arange(similarity.CODES)))
    negative, positive = (float(np.average(cosine, weights=one)) for one in codes)
    rows = [
        [f"Mean cosine, {label}", formats.fixed(positive, 3)],
        [f"Mean cosine, not {label}", formats.fixed(negative, 3)],
        ["AUC of the cosine by itself, over pairs", formats.percent(_auc(codes), 1)],
        ["Pairs without an embedding", formats.percent(unknown, 1)],
    ]
    return Table([], rows)


def _auc(codes: np.ndarray) -> float:
    negative, positive = codes
    below = np.cumsum(negative) - negative
    wins = np.sum(positive * (below + negative / 2))
    return float(wins / (positive.sum() * negative.sum()))


def _rates(codes: np.ndarray) -> list[Rate]:
    """Returns the rates of the buckets that have enough pairs."""
    edges = similarity.uniform_edges(_BUCKETS)
    bucket = similarity.bucket_of_code(edges)
    pairs = np.bincount(bucket, codes.sum(axis=0))
    positive = np.bincount(bucket, codes[1])
    middle = (np.array([-1, *edges]) + np.array([*edges, 1])) / 2
    return [
        (float(middle[index - 1]), float(positive[index] / pairs[index]), int(pairs[index]))
        for index in range(1, len(pairs))
        if pairs[index] >= _LEAST_PAIRS
    ]


def _density(codes: np.ndarray) -> svg.Panel:
    both = codes.sum(axis=0)
    known = np.flatnonzero(both)
    share = np.cumsum(both[known]) / both.sum()
    low = max(int(known[share >= _TAIL][0]) - 2, 1)
    high = min(int(known[share >= 1 - _TAIL][0]) + 2, similarity.CODES - 1)
    cosine = similarity.cosine_of_code(np.arange(low, high + 1)).tolist()
    # Codes are 1/127 of cosine apart; a density is the share per unit of cosine.
    lines = codes[:, low : high + 1] / codes.sum(axis=1, keepdims=True) * 127
    top = 1.06 * float(lines.max())
    panel = svg.Panel((cosine[0], cosine[-1]), (0, top), x_label="cosine")
    panel.axes()
    for line, color in zip(lines.tolist(), ("s2", "s1"), strict=True):
        points = list(zip(cosine, line, strict=True))
        panel.area(points, color)
        panel.line(points, color)
    return panel


def _rate_panel(codes: np.ndarray, label: str) -> svg.Panel:
    rates = _rates(codes)
    overall = float(codes[1].sum() / codes.sum())
    low, high = svg.padded([overall, *(rate for _, rate, _ in rates)], 0.15, 0.01)
    middles = [middle for middle, _, _ in rates] or [-1, 1]
    left, right = min(middles) - 0.05, max(middles) + 0.05
    panel = svg.Panel((left, right), (max(low, 0), min(high, 1)), x_label="cosine")
    panel.axes(y_text=formats.percent)
    panel.rule((left, overall), (right, overall))
    if rates:
        panel.line([(middle, rate) for middle, rate, _ in rates], "s1")
    most = max((pairs for *_, pairs in rates), default=1)
    for middle, rate, pairs in rates:
        tip = f"cosine {middle:.2f}: {formats.percent(rate, 1)} {label} of {pairs:,} pairs"
        panel.dot((middle, rate), "s1", tip, radius=round(2.5 + 5 * (pairs / most) ** 0.5, 1))
    return panel
