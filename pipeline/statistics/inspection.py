"""An inspection: statistics, findings, drift and report of the given data."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from features.errors import UserInputError
from features.files import manifest, storage
from features.tables.options import DEFAULT, TableOptions
from pipeline.report.page import render
from pipeline.runtime import environment, left_out
from pipeline.statistics import drift, findings
from pipeline.statistics.assessment import Assessment, assess, collect, write
from pipeline.statistics.log_source import LogSource
from pipeline.statistics.options import MEMORY_LIMIT, CheckLimits, DriftConfig


class Inspection(NamedTuple):
    """Statistics (see `pipeline.statistics.assessment.collect`), their findings and drift."""

    statistics: dict[str, Any]
    assessment: Assessment


def inspect(
    source: LogSource | None,
    embeddings: Mapping[str, str | Sequence[str]],
    examples: str | None,
    output: str,
    *,
    limits: CheckLimits | None = None,
    config: DriftConfig | None = None,
    memory_limit: str = MEMORY_LIMIT,
    tables: TableOptions = DEFAULT,
    command: str = "",
) -> Inspection:
    """Writes statistics and report of the given data, good or bad.

    Args:
      source: a behavior log.
      embeddings: embedding sets by modality.
      examples: a folder of joined examples.
      output: a local folder; receives `statistics.json` (`statistics.rejected.json` of bad data)
        and `report.html`.
      limits: of the checks.
      config: baseline and thresholds of the drift.
      memory_limit: of DuckDB.
      tables: how the files of embedding sets are read.
      command: that the report shows.

    Raises:
      UserInputError: nothing was given, or an input or the baseline is not readable.
    """
    if source is None and not embeddings and examples is None:
        raise UserInputError("Nothing to inspect: give --events, --embeddings or --examples.")
    if storage.is_remote(output):
        raise UserInputError(f"--output {output!r} is remote, expected a local folder.")
    parent = os.path.dirname(os.path.abspath(output))
    os.makedirs(parent, exist_ok=True)
    statistics = collect(source, embeddings, examples, parent, memory_limit, tables)
    assessment = assess(statistics, limits or CheckLimits(), config or DriftConfig())
    write(output, statistics, assessment)
    data: dict[str, Any] = {
        "title": "Data",
        "statistics": statistics,
        "assessment": assessment.to_dict(),
        "command": command,
        "environment": environment.versions(),
    }
    if examples is not None:
        values = manifest.read_manifest(examples)
        data |= {"manifest": values, "label": values["schema"]["labels"][0]}
    elif source is not None and source.labels:
        data["label"] = source.labels[0]
    render(data, os.path.join(output, "report.html"))
    return Inspection(statistics, assessment)


def describe(inspection: Inspection, output: str) -> str:
    """Returns an inspection as lines for people; what was left out comes last."""
    assessment = inspection.assessment
    lines = [findings.table(assessment.findings)] if assessment.findings else ["No finding."]
    if assessment.baseline is not None:
        lines.append(f"{len(assessment.changes)} measures within their thresholds.")
        lines.append(drift.table(assessment.changes))
    lines.append(f"Report    {os.path.join(output, 'report.html')}")
    return "\n".join([*lines, *_left_out(inspection.statistics)])


def _left_out(statistics: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each table with files, or columns, that were not read."""
    log = statistics.get("log", {})
    sets = statistics.get("embedding_sets", {})
    tables = {"--events": log, **{f"--embeddings {name}": one for name, one in sets.items()}}
    for flag, table in tables.items():
        files = table.get("files", {})
        reasons = {**files.get("passed_over", {}), "ruled out by --filter": files.get("ruled_out")}
        line = left_out.text(flag, reasons, what="files")
        if line:
            yield line
    if columns := log.get("not_read", {}):
        named = ", ".join(f"{name} ({one['type']})" for name, one in columns.items())
        yield f"Not read of --events: {named}."
