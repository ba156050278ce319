"""What the join read and wrote: counts that add up, splits, histories, requests."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Figure, Key, Ledger, Section, Table

_COLORS = {"train": "s2", "validation": "s3", "test": "s1"}
_MANY = 64

Bin = tuple[str, int, int]
Histogram = dict[int, int]


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None without a manifest."""
    splits = _splits(data)
    blocks = [
        _ledger(data),
        _split_table(splits, data.get("label") or "label"),
        _figure(splits, formats.number(data, "manifest", "parameters", "history_length")),
        _embedding_table(data),
    ]
    return Section.of("data", "Data", "What went in, and is all of it there?", blocks)


def _splits(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    splits = formats.mappings(data, "manifest", "splits")
    names = [*(name for name in _COLORS if name in splits), *(set(splits) - set(_COLORS))]
    return {name: splits[name] for name in names}


def _ledger(data: Mapping[str, Any]) -> Ledger | None:
    counts = formats.mapping(data, "manifest", "counts")
    read, written = formats.total(counts.get("read")), formats.total(counts.get("written"))
    quarantined, dropped = counts.get("quarantined", {}), counts.get("dropped", {})
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
    def share(split: Mapping[str, Any]) -> str:
        candidates = formats.number(split, "candidates")
        positives = formats.number(split, "positives", label)
        if not candidates or positives is None:
            return formats.MISSING
        return formats.percent(positives / candidates, 1)

    def day(end: int) -> formats.Formatted:
        return lambda split: formats.date((split.get("time_range") or (None, None))[end])

    columns = {
        "Requests": formats.cell(formats.count, "requests"),
        "Candidates": formats.cell(formats.count, "candidates"),
        label: formats.cell(formats.count, "positives", label),
        f"{label}, share": share,
        "From": day(0),
        "To": day(1),
    }
    return Table.of("Split", splits.items(), columns, "Splits") if splits else None


def _figure(splits: Mapping[str, Mapping[str, Any]], longest: float | None) -> Figure | None:
    lengths = {name: _histogram(split, "history_length") for name, split in splits.items()}
    sizes = {name: _histogram(split, "candidates_per_request") for name, split in splits.items()}
    drawings = []
    if any(lengths.values()):
        bins = _length_bins(int(longest) if longest else _largest(lengths))
        panel = _bars("behaviors", lengths, bins)
        drawings.append(panel.drawing("History length, share of requests"))
    if any(sizes.values()):
        panel = _bars("candidates", sizes, _growing_bins(_largest(sizes)))
        drawings.append(panel.drawing("Request size, share of requests"))
    return Figure.of("Requests", "", drawings, [Key(_color(name), name) for name in splits])


def _histogram(split: Mapping[str, Any], key: str) -> Histogram:
    return {int(value): int(n) for value, n in formats.mapping(split, key).items() if n}


def _largest(histograms: Mapping[str, Histogram]) -> int:
    return max(max(one, default=0) for one in histograms.values())


def _length_bins(cap: int) -> list[Bin]:
    step = max(1, -(-(cap - 1) // 5))
    middle = [_bin(start, min(start + step - 1, cap - 1)) for start in range(1, cap, step)]
    return [_bin(0, 0), *middle, _bin(cap, cap)]


def _growing_bins(largest: int) -> list[Bin]:
    factor = 2 if largest <= _MANY else 4
    bins, low, high = [], 1, 1
    while low <= largest:
        bins.append(_bin(low, min(high, largest)))
        low, high = high + 1, factor * high
    return bins


def _bin(low: int, high: int) -> Bin:
    return (str(low) if low == high else f"{low}–{high}", low, high)


def _bars(unit: str, histograms: Mapping[str, Histogram], bins: Sequence[Bin]) -> svg.Panel:
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


def _color(split: str) -> str:
    return _COLORS.get(split, "s4")


def _embedding_table(data: Mapping[str, Any]) -> Table | None:
    sets = formats.mappings(data, "manifest", "embedding_sets")
    columns = {
        "Width": formats.cell(formats.count, "dimension"),
        "Items": formats.cell(formats.count, "items"),
        "Candidates covered": formats.cell(formats.percent, "coverage", digits=1),
    }
    return Table.of("Modality", sets.items(), columns, "Embedding sets") if sets else None
