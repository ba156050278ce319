"""The run and its export, and all that is needed to run it again."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.blocks import Cell, Details, Section, Table


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns a section of the facts that the data has, or None."""
    published = _export(data)
    run, command = formats.mapping(data, "run"), data.get("command")
    blocks = [
        published,
        Table([], formats.flat(run), numeric=False, title="Run") if run else None,
        _changed(data),
        _parity(data),
        _phases(data),
        Details("Command", text=str(command)) if command else None,
        _named("Configuration", "Setting", formats.mapping(data, "config")),
        _named("The join's parameters", "Setting", formats.mapping(data, "manifest", "parameters")),
        _named("Environment", "Package", formats.mapping(data, "environment")),
    ]
    if published is None:
        question = "How was this made, and how is it made again?"
        return Section.of("facts", "Reproduction", question, blocks)
    return Section.of("facts", "Export", "What was published, and how is it made again?", blocks)


def signatures(data: Mapping[str, Any]) -> list[str]:
    """Returns the names of the exported signatures."""
    return [str(name) for name in formats.dig(data, "parity", "signatures") or []]


def parity(data: Mapping[str, Any]) -> float | None:
    """Returns the largest difference between signatures."""
    return formats.number(data, "parity", "max_abs_diff")


def _export(data: Mapping[str, Any]) -> Table | None:
    rows: list[list[Cell | str]] = []
    if path := formats.dig(data, "summary", "export", "saved_model"):
        rows.append(["SavedModel", str(path)])
    if names := signatures(data):
        rows.append([f"Signatures ({len(names)})", ", ".join(names)])
    if (value := parity(data)) is not None:
        rows.append(["Largest difference between signatures", formats.significant(value)])
    if (foreign := formats.dig(data, "parity", "foreign_ops")) is not None:
        listed = ", ".join(map(str, foreign)) or "none"
        rows.append(["Ops outside TensorFlow's registry", Cell(listed, "bad" if foreign else "")])
    if (refused := formats.dig(data, "parity", "wrong_tags_refused")) is not None:
        outcome = Cell("refused", "good") if refused else Cell("accepted", "bad")
        rows.append(["Projections with another model's tag", outcome])
    rows += [
        [key.replace("_", " "), value] for key, value in formats.flat(data.get("tags") or {}) if key
    ]
    return Table([], rows, numeric=False, title="Published model") if rows else None


def _changed(data: Mapping[str, Any]) -> Table | None:
    """Returns the settings that differ from the defaults; None where they are unknown."""
    changed = data.get("changed_settings")
    if not isinstance(changed, Mapping):
        return None
    rows = [[str(name), str(value)] for name, value in changed.items()]
    caption = "" if rows else "None: every setting is the default."
    return Table([], rows, caption, numeric=False, title="Settings that differ from the defaults")


def _parity(data: Mapping[str, Any]) -> Details | None:
    cases = formats.mapping(data, "parity", "differences")
    if not cases:
        return None
    rows = [[str(case), formats.significant(formats.number(cases, case))] for case in cases]
    table = Table(["Case", "Largest absolute difference"], rows)
    return Details(f"Parity by case ({len(cases)})", table)


def _phases(data: Mapping[str, Any]) -> Details | None:
    known = formats.numbers(data, "summary", "phases")
    if not known:
        return None
    whole = sum(known.values())
    rows = [
        [
            name.replace("_", " "),
            formats.duration(seconds),
            formats.percent(seconds / whole if whole else None),
        ]
        for name, seconds in known.items()
    ]
    summary = f"Wall time: {formats.duration(whole)} in {len(known)} phases"
    return Details(summary, Table(["Phase", "Wall time", "Share"], rows))


def _named(title: str, head: str, values: Mapping[str, Any]) -> Details | None:
    if not values:
        return None
    return Details(title, Table([head, "Value"], formats.flat(values), numeric=False))
