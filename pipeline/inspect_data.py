"""Statistics, checks and drift of data, before anything is trained on it.

python -m pipeline.inspect_data --events DIR --embeddings text=DIR --output DIR
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from features.errors import UserInputError
from features.files import manifest, storage
from pipeline.join.options import DEFAULT_LABEL
from pipeline.join.rules import expressions
from pipeline.report.page import render
from pipeline.runtime import entry_point, environment, json_file
from pipeline.statistics import assessment as data_statistics
from pipeline.statistics import drift, findings, options
from pipeline.statistics.database import MEMORY_LIMIT
from pipeline.statistics.log import LogSource
from pipeline.statistics.options import CheckLimits, DriftConfig, DriftThresholds

_FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What an inspection saw.

    Attributes:
      statistics: see `data_statistics.collect`.
      assessment: findings and drift.
    """

    statistics: dict[str, Any]
    assessment: data_statistics.Assessment


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("events", None, "Behavior log: a folder of Parquet files, or one.")
    flags.DEFINE_multi_string("embeddings", [], "modality=FOLDER of an embedding set; repeatable.")
    flags.DEFINE_string("examples", None, "Folder that the join wrote.")
    flags.DEFINE_string(
        "output", None, "Folder for statistics.json and report.html.", required=True
    )
    flags.DEFINE_list("labels", [], "Label columns of the log, 0 or 1; by default click.")
    flags.DEFINE_multi_string("derive_label", [], "name = expression; repeatable.")
    flags.DEFINE_enum("timestamp_unit", "s", ["s", "ms", "us"], "Of the log's timestamp.")
    flags.DEFINE_string(
        "baseline", None, "What to compare with: an --output of this job, of a run, or of the join."
    )
    flags.DEFINE_string("thresholds", None, "JSON file of thresholds by name, null for none.")
    flags.DEFINE_multi_string("max_drift", [], "name=value of one threshold; repeatable.")
    flags.DEFINE_multi_string("limit", [], "name=value of a check's limit; repeatable.")
    flags.DEFINE_string("memory_limit", MEMORY_LIMIT, "What DuckDB may hold before it spills.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def inspect(
    source: LogSource | None,
    embeddings: Mapping[str, str],
    examples: str | None,
    output: str,
    *,
    limits: CheckLimits | None = None,
    config: DriftConfig | None = None,
    memory_limit: str = MEMORY_LIMIT,
    command: str = "",
) -> Inspection:
    """Writes statistics and report of whatever is given, whether it is good or bad.

    Args:
      source: a behavior log.
      embeddings: embedding sets by modality.
      examples: a folder of joined examples.
      output: a local folder; receives `statistics.json` (`statistics.rejected.json` of bad data)
        and `report.html`.
      limits: of the checks.
      config: baseline and thresholds of the drift.
      memory_limit: of DuckDB.
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
    statistics = data_statistics.collect(source, embeddings, examples, parent, memory_limit)
    assessment = data_statistics.assess(
        statistics, limits or CheckLimits(), config or DriftConfig()
    )
    data_statistics.write(output, statistics, assessment)
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


def describe(assessment: data_statistics.Assessment, output: str) -> str:
    """Returns an assessment as a person reads it."""
    lines = [findings.table(assessment.findings)] if assessment.findings else ["No finding."]
    if assessment.baseline is not None:
        lines.append(f"{len(assessment.changes)} measures within their thresholds.")
        lines.append(drift.table(assessment.changes))
    return "\n".join([*lines, f"Report    {os.path.join(output, 'report.html')}"])


def _thresholds() -> DriftThresholds:
    path = _FLAGS.thresholds
    values = json_file.read(path, "--thresholds") if path else {}
    values |= _assigned("max_drift", _FLAGS.max_drift)
    return options.parse(DriftThresholds, values, "Thresholds of the drift")


def _assigned(flag: str, texts: Sequence[str]) -> dict[str, Any]:
    values = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise UserInputError(f"--{flag} {text!r}: expected name=value, such as label_rate=0.1.")
        values[name] = None if value in ("none", "null") else value
    return values


def _source() -> LogSource | None:
    if _FLAGS.events is None:
        return None
    derived = dict(map(expressions.parse_assignment, _FLAGS.derive_label))
    labels = tuple(_FLAGS.labels) or tuple(derived) or (DEFAULT_LABEL,)
    used = {name: one for name, one in derived.items() if name in labels}
    return LogSource(_FLAGS.events, labels, used, _FLAGS.timestamp_unit)


def _main(arguments: Sequence[str]) -> None:
    del arguments
    assessment = inspect(
        _source(),
        entry_point.modality_folders(_FLAGS.embeddings),
        _FLAGS.examples,
        _FLAGS.output,
        limits=options.parse(CheckLimits, _assigned("limit", _FLAGS.limit), "--limit"),
        config=DriftConfig(baseline=_FLAGS.baseline, thresholds=_thresholds()),
        memory_limit=_FLAGS.memory_limit,
        command=environment.command("pipeline.inspect_data"),
    ).assessment
    try:
        assessment.raise_if_bad()
    except UserInputError as error:
        page = os.path.join(_FLAGS.output, "report.html")
        raise UserInputError(f"{error}\nThe whole picture is in {page}.") from error
    print(describe(assessment, _FLAGS.output))


if __name__ == "__main__":
    main()
