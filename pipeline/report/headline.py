"""The first screen: the numbers by which a run is judged."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.blocks import Tile
from pipeline.report.sections import comparison_section, facts_section
from pipeline.report.sections.comparison_section import MODEL


def tiles(data: Mapping[str, Any]) -> list[Tile]:
    """Returns one tile per headline number that the data has."""
    found = [
        _metric(data, "auc", "AUC"),
        _metric(data, "gauc", "GAUC"),
        _metric(data, "logloss", "Log loss"),
        _metric(data, "calibration", "Predicted / observed", 3),
        _latency(data),
        _training(data),
        _join(data),
        _parity(data),
    ]
    return [tile for tile in found if tile is not None]


def subtitle(data: Mapping[str, Any]) -> str:
    """Returns one line: the label, the candidates of the split and the wall time."""
    label = data.get("label")
    split = data.get("split") or "test"
    test = formats.mapping(data, "manifest", "splits", split)
    candidates = formats.number(test, "candidates")
    positives = formats.number(test, "positives", str(label))
    parts = [f"Label: {label}"] if label else []
    if candidates is not None:
        parts.append(f"{split}: {formats.count(candidates)} candidates")
        if candidates and positives is not None:
            parts[-1] += f", {formats.percent(positives / candidates)} {label}"
    if seconds := formats.numbers(data, "summary", "phases"):
        parts.append(f"whole run: {formats.duration(sum(seconds.values()))}")
    return " · ".join(parts)


def _metric(data: Mapping[str, Any], key: str, title: str, digits: int = 4) -> Tile | None:
    names = comparison_section.series(data)
    values = [formats.number(data, "metrics", name, key) for name in names]
    if not values or values[0] is None:
        return None
    shown = formats.fixed(values[0], digits)
    baseline = comparison_section.baseline(data)
    other = values[names.index(baseline)] if baseline else None
    if baseline is None or other is None:
        note = formats.model_name(names[0])
        if "test" in names[1:]:
            note += f"; test {formats.fixed(values[names.index('test')], digits)}"
        return Tile(title, shown, note=note)
    name = formats.model_name(baseline)
    if key == "calibration":
        return Tile(title, shown, note=f"{name}: {formats.fixed(other, digits)}")
    note = f"{formats.signed(values[0] - other, digits)} against {name}"
    return Tile(title, shown, note=note, tone=comparison_section.tone(key, values[0], other))


def _latency(data: Mapping[str, Any]) -> Tile | None:
    value, early = (
        formats.number(data, "latency", "models", model, "p50_ms")
        for model in (MODEL, "early_fusion")
    )
    if value is None:
        return None
    notes = []
    if (candidates := formats.number(data, "latency", "candidates")) is not None:
        notes.append(f"{formats.count(candidates)} candidates")
    if early is not None and value:
        notes.append(f"early fusion takes {formats.fixed(early / value, 1)}×")
    return Tile("Request, median", formats.significant(value), "ms", "; ".join(notes))


def _training(data: Mapping[str, Any]) -> Tile | None:
    model = next(iter(formats.mapping(data, "training")), MODEL)
    train = formats.mapping(data, "training", model)
    speed = formats.number(train, "candidates_per_second")
    if speed is None:
        return None
    steps, seconds = formats.number(train, "steps"), formats.number(train, "seconds")
    note = f"{formats.count(steps)} steps in {formats.duration(seconds)}" if steps else ""
    return Tile("Training", formats.count(speed), "candidates/s", note)


def _join(data: Mapping[str, Any]) -> Tile | None:
    join = formats.mapping(data, "summary", "join")
    events, seconds = formats.number(join, "events_read"), formats.number(join, "seconds")
    if events is None:
        return None
    notes = []
    if (written := formats.number(join, "requests_written")) is not None:
        notes.append(f"{formats.count(written)} requests")
    if seconds is not None:
        notes.append(f"in {formats.duration(seconds)}")
    return Tile("Join", formats.count(events), "events", " ".join(notes))


def _parity(data: Mapping[str, Any]) -> Tile | None:
    value = facts_section.parity(data)
    if value is None:
        return None
    names = facts_section.signatures(data)
    note = f"largest difference, {len(names)} signatures" if names else "largest difference"
    return Tile("Signature parity", formats.significant(value, 2), note=note)
