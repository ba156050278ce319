"""Inspects a log, embedding sets and joined examples: statistics, checks, drift.

Usual commands:

    python -m pipeline.inspect_data --events log/ --embeddings text=text/ --output statistics/
    python -m pipeline.inspect_data --examples examples/ --baseline statistics/ --output today/

Left on disk: `statistics.json` (`statistics.rejected.json` where there is an error) and
`report.html`.

It exits with 2 also where a check failed, or data drifted beyond a threshold.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from features.errors import UserInputError
from features.tables import expressions
from features.tables.names import feature_name
from pipeline.join.options import DEFAULT_LABEL
from pipeline.runtime import entry_point, environment, json_file, named_values, plain_text
from pipeline.statistics.flags import define_flags
from pipeline.statistics.options import CheckLimits, DriftConfig, DriftThresholds
from pipeline.tables.flags import table_options

if TYPE_CHECKING:
    from pipeline.statistics.log_source import LogSource

_FLAGS = flags.FLAGS


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _thresholds() -> DriftThresholds:
    path = _FLAGS.thresholds
    values = json_file.read(path, "--thresholds") if path else {}
    values |= named_values.assigned("max_drift", _FLAGS.max_drift)
    return named_values.parse(DriftThresholds, values, "Thresholds of the drift")


def _source() -> "LogSource | None":
    from pipeline.statistics.log_source import LogSource

    if not _FLAGS.events:
        return None
    try:
        derived = dict(map(expressions.parse_assignment, _FLAGS.derive_label))
    except UserInputError as error:
        raise UserInputError(f"--derive_label: {error}") from error
    given = _FLAGS.labels  # None by default; a log without labels is inspected with `--labels=`.
    labels = tuple(derived) or (DEFAULT_LABEL,) if given is None else tuple(given)
    labels = tuple(feature_name(label) or label for label in labels)
    return LogSource(
        events=tuple(_FLAGS.events),
        labels=labels,
        derived={name: one for name, one in derived.items() if name in labels},
        timestamp_unit=_FLAGS.timestamp_unit,
        null_label=_FLAGS.null_label,
        tables=table_options(),
    )


def _main(arguments: Sequence[str]) -> None:
    from pipeline.statistics import inspection

    found = inspection.inspect(
        _source(),
        entry_point.named_locations(_FLAGS.embeddings, "embeddings"),
        _FLAGS.examples,
        _FLAGS.output,
        limits=named_values.parse(
            CheckLimits, named_values.assigned("limit", _FLAGS.limit), "--limit"
        ),
        config=DriftConfig(baseline=_FLAGS.baseline, thresholds=_thresholds()),
        memory_limit=_FLAGS.memory_limit,
        tables=table_options(),
        command=environment.command("pipeline.inspect_data"),
    )
    try:
        found.assessment.raise_if_bad()
    except UserInputError as error:
        page = os.path.join(_FLAGS.output, "report.html")
        raise UserInputError(f"{error}\nThe whole picture is in {page}.") from error
    plain_text.say(inspection.describe(found, _FLAGS.output))


if __name__ == "__main__":
    main()
