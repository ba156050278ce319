"""Statistics of logs, embeddings and records, their findings, and drift since a baseline.

statistics = collect(source, embeddings, examples, folder)
assessment = assess(statistics, CheckLimits(), DriftConfig(baseline))
write(folder, statistics, assessment)
assessment.raise_if_bad()
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from features.errors import UserInputError
from features.files import manifest, storage
from features.tables.names import feature_name
from features.tables.options import DEFAULT, TableOptions
from features.tables.renames import check_renames_used
from models.inputs.example_set import ExampleSet
from pipeline.statistics import drift, embedding_findings, examples, findings, log_findings
from pipeline.statistics.database import open_database
from pipeline.statistics.drift import Change
from pipeline.statistics.embeddings import embedding_statistics, open_set
from pipeline.statistics.findings import Finding
from pipeline.statistics.log import log_statistics
from pipeline.statistics.log_source import LogSource, open_log
from pipeline.statistics.options import MEMORY_LIMIT, CheckLimits, DriftConfig

FILE_NAME = "statistics.json"
REJECTED_FILE_NAME = "statistics.rejected.json"
"""The file name for statistics of bad data, which no later run may take for its baseline."""

FOLDER = "statistics"
"""The folder of a run's output that holds its statistics."""

VERSION = 2
"""The layout of `statistics.json`; a baseline of a version other than 1 and 2 is refused."""


@dataclasses.dataclass(frozen=True)
class Assessment:
    """The findings in statistics, and their changes since a baseline, breaches first."""

    findings: tuple[Finding, ...]
    changes: tuple[Change, ...] = ()
    baseline: str | None = None

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [one for one in self.findings if one.severity == "error"]

    @property
    def breaches(self) -> list[Change]:
        """The changes beyond their threshold."""
        return [one for one in self.changes if one.is_breach]

    @property
    def is_bad(self) -> bool:
        """Whether there is an error, or more change than allowed."""
        return bool(self.errors or self.breaches)

    def raise_if_bad(self) -> None:
        """Stops what would train on bad data.

        Raises:
          UserInputError: lists the errors and the breached thresholds.
        """
        parts = []
        if self.errors:
            parts.append(f"The data has {len(self.errors)} errors:\n{findings.table(self.errors)}")
        if self.breaches:
            parts.append(
                f"{len(self.breaches)} of {len(self.changes)} measures changed more since "
                f"{self.baseline!r} than their threshold:\n{drift.table(self.breaches)}\n"
                "Fix the data, take a newer baseline, or raise the threshold (--max_drift "
                "name=value, in a run drift.thresholds.name)."
            )
        if parts:
            raise UserInputError("\n".join(parts))

    def to_dict(self) -> dict[str, Any]:
        """Returns the assessment as JSON values."""
        return {
            "findings": [dataclasses.asdict(one) for one in self.findings],
            "drift": {
                "baseline": self.baseline,
                "changes": [
                    {**dataclasses.asdict(one), "breach": one.is_breach} for one in self.changes
                ],
            },
        }


def collect(
    source: LogSource | None,
    embeddings: Mapping[str, str | Sequence[str]],
    joined: str | None,
    folder: str,
    memory_limit: str = MEMORY_LIMIT,
    tables: TableOptions = DEFAULT,
) -> dict[str, Any]:
    """Returns the statistics of the given data.

    Args:
      source: a behavior log.
      embeddings: embedding sets by modality; their coverage is counted where there is a log.
      joined: a folder of joined examples.
      folder: an existing one with room for what does not fit into memory.
      memory_limit: of DuckDB.
      tables: how the files of embedding sets are read.

    Returns:
      JSON values: `version`, and of `log`, `embedding_sets` (by modality) and `examples` those
      that were given.

    Raises:
      UserInputError: an input is not readable, lacks a column, or changed while it was read.
    """
    statistics: dict[str, Any] = {"version": VERSION}
    if source is not None or embeddings:
        log = None if source is None else open_log(source)
        sets = {name: open_set(name, path, tables) for name, path in embeddings.items()}
        opened = [*([log.table] if log else []), *sets.values()]
        check_renames_used(tables, opened)
        with contextlib.ExitStack() as stack:
            for table in opened:
                stack.enter_context(table.unchanged())
            connection = stack.enter_context(open_database(folder, memory_limit))
            if log is not None:
                statistics["log"] = log_statistics(connection, log)
            if sets:
                statistics["embedding_sets"] = {
                    name: embedding_statistics(connection, one, log) for name, one in sets.items()
                }
    if joined is not None:
        # Imported here, as TensorFlow takes seconds that logs and embedding sets do not need.
        from pipeline.statistics import records

        records_of = ExampleSet.open(joined)
        values = examples.example_statistics(records_of.manifest)
        statistics["examples"] = {**values, "time": records.label_rates_by_time(records_of)}
    return statistics


def assess(statistics: Mapping[str, Any], limits: CheckLimits, config: DriftConfig) -> Assessment:
    """Returns the findings in statistics, and the drift where there is a baseline.

    Raises:
      UserInputError: the baseline cannot be read, or has nothing in common with the statistics.
    """
    found: list[Finding] = []
    if "log" in statistics:
        found += log_findings.find(statistics["log"], limits)
    for name, values in statistics.get("embedding_sets", {}).items():
        found += embedding_findings.find(name, values, limits)
    if "examples" in statistics:
        found += examples.find(statistics["examples"], limits)
    if config.baseline is None:
        return Assessment(tuple(found))
    changes = drift.compare(statistics, read_baseline(config.baseline), config.thresholds)
    return Assessment(tuple(found), tuple(changes), config.baseline)


def write(folder: str, statistics: Mapping[str, Any], assessment: Assessment) -> str:
    """Writes statistics as JSON, whole or not at all; returns the path.

    Args:
      folder: created if absent.
      statistics: from `collect`.
      assessment: of them; where it is bad, the file is `REJECTED_FILE_NAME`.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, REJECTED_FILE_NAME if assessment.is_bad else FILE_NAME)
    text = json.dumps({**statistics, **assessment.to_dict()}, indent=1, allow_nan=False)
    with storage.OutputFile(path) as file:
        file.write(f"{text}\n".encode())
    return path


def read_baseline(path: str) -> dict[str, Any]:
    """Reads statistics to compare with.

    Args:
      path: local or remote: a `statistics.json`, a folder that has one (or a run's output), or
        a folder of joined examples, whose manifest has all but label rates by time.

    Raises:
      UserInputError: there is none of these, or it was written in another layout.
    """
    for parts in ((), (FILE_NAME,), (FOLDER, FILE_NAME)):
        candidate = storage.join(path, *parts) if parts else path
        if storage.is_file(candidate):
            return _read_statistics(candidate)
    if not storage.is_file(storage.join(path, manifest.FILE_NAME)):
        raise UserInputError(
            f"The baseline {path!r} has neither {FILE_NAME} nor {manifest.FILE_NAME}. Give the "
            "--output of pipeline.inspect_data, pipeline.run or pipeline.build_examples."
        )
    return {"examples": examples.example_statistics(ExampleSet.open(path).manifest)}


def _read_statistics(path: str) -> dict[str, Any]:
    try:
        values = json.loads(storage.read_bytes(path))
    except (OSError, ValueError) as error:
        raise UserInputError(f"The baseline {path!r} is not JSON: {error}.") from error
    version = values.get("version") if isinstance(values, dict) else None
    log = values.get("log", {}) if isinstance(values, dict) else {}
    for part in ("columns", "labels"):
        # Earlier statistics have the names of the files.
        named = {feature_name(name) or name: one for name, one in log.get(part, {}).items()}
        log |= {part: named} if part in log else {}
    if version == 1:
        for column in log.get("columns", {}).values():
            if "rows_an_id" in column:
                column["rows_per_id"] = column.pop("rows_an_id")
    elif version != VERSION:
        raise UserInputError(
            f"The baseline {path!r} has version {version!r}, expected {VERSION}. Is it a "
            f"{FILE_NAME}? Write it again with pipeline.inspect_data."
        )
    return values
