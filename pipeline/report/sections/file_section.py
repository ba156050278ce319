"""The files of inspected tables: which were read, which were passed over, what nothing reads."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats
from pipeline.report.blocks import Section, Table


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None where no table was inspected."""
    log = formats.mapping(data, "statistics", "log")
    tables = {"events": log} if log else {}
    for name, one in formats.mappings(data, "statistics", "embedding_sets").items():
        tables[f"embeddings {name}"] = one
    tables = {name: one for name, one in tables.items() if formats.mapping(one, "files")}
    if not tables:
        return None
    blocks = [_files(tables), _not_read(formats.mappings(log, "not_read"))]
    return Section.of("files", "Files", "What was read, and what was left out?", blocks)


def _files(tables: Mapping[str, Mapping[str, Any]]) -> Table:
    return Table.of(
        "Table",
        tables.items(),
        {
            "Files": formats.cell(formats.count, "files", "read"),
            "Rows": formats.cell(formats.count, "rows"),
            "Ruled out by filter": formats.cell(formats.count, "files", "ruled_out"),
            "Passed over": _passed_over,
        },
        "Files",
    )


def _passed_over(one: Mapping[str, Any]) -> str:
    reasons = formats.mapping(one, "files", "passed_over")
    return ", ".join(f"{reason}: {count:,}" for reason, count in reasons.items()) or "0"


def _not_read(columns: Mapping[str, Mapping[str, Any]]) -> Table | None:
    if not columns:
        return None
    return Table.of(
        "Column",
        columns.items(),
        {
            "Type": lambda one: str(one.get("type")),
            "Why": lambda one: one.get("reason") or "nothing reads this type",
        },
        "Columns of the log that are not read",
    )
