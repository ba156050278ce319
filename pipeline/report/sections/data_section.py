"""What the join read and wrote: counts that add up, splits, histories, requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Block, Drawing, Figure, Key, Ledger, Section, Table

_ORDER = ("train", "validation", "test")
_COLORS = {"train": "s2", "validation": "s3", "test": "s1"}

_MANY = 64

Bin = tuple[str, int, int]


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None without a manifest and without the join's counts."""
    splits = _splits(data)
    found = [
        _ledger(data),
        _split_table(splits, data.get("label") or "label"),
        _figure(splits, formats.number(data, "manifest", "parameters", "history_length")),
        _embedding_table(formats.mapping(data, "manifest", "embedding_sets")),
    ]
    blocks: list[Block] = [block for block in found if block is not None]
    return (
        Section("data", "Data", "What went in, and is all of it there?", blocks) if blocks else None
    )


def _splits(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    splits = formats.mapping(data, "manifest", "splits")
    names = [*(name for name in _ORDER if name in splits), *(set(splits) - set(_ORDER))]
    return {name: formats.mapping(splits, name) for name in names}


def _ledger(data: Mapping[str, Any]) -> Ledger | None:
    counts = formats.mapping(data, "manifest", "counts")
    join = formats.mapping(data, "summary", "join")
    read = formats.total(counts.get("read", join.get("events_read")))
    written = formats.total(counts.get("written", join.get("candidates_written")))
    quarantined = counts.get("quarantined", join.get("quarantined"))
    dropped = counts.get("dropped", join.get("dropped"))
    attributed = formats.mapping(counts, "attributed")
    parts = {
        "written as candidates": written,
        **({"set a label": formats.total(attributed)} if attributed else {}),
        "quarantined": formats.total(quarantined),
        "dropped": formats.total(dropped),
    }
    if read is None or written is None:
        return None
    reasons = [
        f"{formats.count(number)} {reason.replace('_', ' ')}"
        for by_reason in (quarantined, dropped)
        for reason in formats.mapping(by_reason)
        if (number := formats.total(by_reason[reason]))
    ]
    drawn = formats.number(counts, "negatives", "drawn")
    if drawn:
        reasons.append(f"{formats.count(drawn)} negatives drawn")
    return Ledger(
        [
            (formats.count(read), "events read"),
            *((formats.count(part), name) for name, part in parts.items()),
        ],
        adds_up=read == sum(part or 0 for part in parts.values()),
        note="; ".join(reasons),
    )


def _split_table(splits: Mapping[str, Mapping[str, Any]], label: str) -> Table | None:
    if not splits:
        return None
    rows = []
    for name, split in splits.items():
        candidates = formats.number(split, "candidates")
        positives = formats.number(split, "positives", label)
        start, end = split.get("time_range") or (None, None)
        rows.append(
            [
                name,
                formats.count(formats.number(split, "requests")),
                formats.count(candidates),
                formats.count(positives),
                formats.percent(
                    positives / candidates if candidates and positives is not None else None, 1
                ),
                formats.date(start),
                formats.date(end),
            ]
        )
    head = ["Split", "Requests", "Candidates", label, f"{label}, share", "From", "To"]
    return Table(head, rows, title="Splits")


def _figure(splits: Mapping[str, Mapping[str, Any]], longest: float | None) -> Figure | None:
    lengths = {name: _histogram(split, "history_length") for name, split in splits.items()}
    sizes = {name: _histogram(split, "candidates_per_request") for name, split in splits.items()}
    drawings = []
    if any(lengths.values()):
        cap = int(longest) if longest else max(max(one, default=0) for one in lengths.values())
        panel = _bars("behaviors", lengths, _length_bins(cap))
        caption = _length_sentence(lengths, cap)
        drawings.append(Drawing("History length, share of requests", panel.svg(caption), caption))
    if any(sizes.values()):
        largest = max(max(one, default=0) for one in sizes.values())
        panel = _bars("candidates", sizes, _growing_bins(largest))
        caption = _size_sentence(sizes)
        drawings.append(Drawing("Request size, share of requests", panel.svg(caption), caption))
    if not drawings:
        return None
    legend = [Key(_color(name), name) for name in splits]
    return Figure("Requests", "", drawings, legend)


def _histogram(split: Mapping[str, Any], key: str) -> dict[int, int]:
    return {int(value): int(n) for value, n in formats.mapping(split, key).items() if n}


def _length_bins(cap: int) -> list[Bin]:
    step = max(1, -(-(cap - 1) // 5))
    starts = range(1, cap, step)
    middle = [(start, min(start + step - 1, cap - 1)) for start in starts]
    return [("0", 0, 0), *((_range(*one), *one) for one in middle), (str(cap), cap, cap)]


def _growing_bins(largest: int) -> list[Bin]:
    factor = 2 if largest <= _MANY else 4
    bins, low, high = [], 1, 1
    while low <= largest:
        bins.append((_range(low, min(high, largest)), low, high))
        low, high = high + 1, factor * high
    return bins


def _range(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


def _bars(unit: str, histograms: Mapping[str, dict[int, int]], bins: Sequence[Bin]) -> svg.Panel:
    panel = svg.Panel((0, len(bins)), (0, 1), x_label=unit)
    panel.y_axis(svg.ticks(0, 1, formats.percent, 4))
    panel.x_axis([(index + 0.5, name) for index, (name, _, _) in enumerate(bins)])
    width = 0.8 / len(histograms)
    for order, (split, histogram) in enumerate(histograms.items()):
        requests = sum(histogram.values())
        for index, (name, low, high) in enumerate(bins):
            inside = sum(n for value, n in histogram.items() if low <= value <= high)
            if inside:
                start = index + 0.1 + order * width
                tip = f"{split}, {name} {unit}: {inside:,} requests"
                panel.bar((start, start + width), (0, inside / requests), _color(split), tip)
    return panel


def _length_sentence(lengths: Mapping[str, dict[int, int]], cap: int) -> str:
    def shares(value: int) -> str:
        return formats.listed(
            [
                f"{formats.percent(one.get(value, 0) / sum(one.values()))} of {name}"
                for name, one in lengths.items()
                if one
            ]
        )

    return f"A full history of {cap} behaviors: {shares(cap)}; no history: {shares(0)}."


def _size_sentence(sizes: Mapping[str, dict[int, int]]) -> str:
    parts = [
        f"{_mean(one):.2f} in {name} (largest {max(one)})" for name, one in sizes.items() if one
    ]
    return f"Candidates a request, on average: {formats.listed(parts)}."


def _mean(histogram: dict[int, int]) -> float:
    return sum(value * n for value, n in histogram.items()) / sum(histogram.values())


def _color(split: str) -> str:
    return _COLORS.get(split, "s4")


def _embedding_table(sets: Mapping[str, Any]) -> Table | None:
    if not sets:
        return None
    rows = [
        [
            name,
            formats.count(formats.number(one, "dimension")),
            formats.count(formats.number(one, "items")),
            formats.percent(formats.number(one, "coverage"), 1),
        ]
        for name, one in sets.items()
    ]
    head = ["Modality", "Width", "Items", "Candidates covered"]
    return Table(head, rows, title="Embedding sets")
