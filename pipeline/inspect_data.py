"""Statistics, checks and drift of data, before anything is trained on it.

python -m pipeline.inspect_data --events DIR --embeddings text=DIR --output DIR
"""

import os
from collections.abc import Sequence
from typing import Any

from absl import flags

from features.errors import UserInputError
from pipeline.join.options import DEFAULT_LABEL
from pipeline.join.rules import expressions
from pipeline.runtime import entry_point, environment, json_file
from pipeline.statistics import inspection, options
from pipeline.statistics.database import MEMORY_LIMIT
from pipeline.statistics.log import LogSource
from pipeline.statistics.options import CheckLimits, DriftConfig, DriftThresholds

_FLAGS = flags.FLAGS


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
    assessment = inspection.inspect(
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
    print(inspection.describe(assessment, _FLAGS.output))


if __name__ == "__main__":
    main()
