"""The steps on data: the part's log is inspected, joined, and inspected again as records."""

import dataclasses
import os
from typing import Any

from features.files import checked, manifest
from features.tables.names import feature_name
from pipeline.daily_cycle.cycle import Outcome, PartRun
from pipeline.join import parts
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.publishing.publication import MadeOtherwiseError
from pipeline.runtime import environment
from pipeline.statistics import inspection
from pipeline.statistics.inspection import Inspection
from pipeline.statistics.log_source import LogSource
from pipeline.statistics.options import DriftConfig

COMMAND = "pipeline.cycle"

_OF_HISTORIES = ("history_distance", "similarity_distance")
"""Measures that change while histories fill."""


def inspect_log(run: PartRun) -> Outcome:
    """Compares the part's log and embedding sets with those of the part before.

    Raises:
      UserInputError: a check failed, or data drifted beyond a threshold.
    """
    options = run.config.join_options(run.part)
    found = inspection.inspect(
        _source(options),
        options.embeddings,
        None,
        run.folder("statistics", run.part, "log"),
        **_limits(run, "log"),
        tables=options.tables,
    )
    found.assessment.raise_if_bad()
    return {"rows": found.statistics["log"]["rows"], **_findings(found)}


def join(run: PartRun) -> Outcome:
    """Joins the part's log into the data set, or finds that it is joined already."""
    options = run.config.join_options(run.part)
    try:
        build_examples(options)
    except MadeOtherwiseError:
        # Of other settings, or of the log before it was corrected: nothing was trained on it.
        withdraw(run)
        build_examples(options)
    folder = parts.folder_of(options.output, run.part)
    values = manifest.read_manifest(folder)
    splits = {
        name: {key: value for key, value in split.items() if key != "shards"}
        for name, split in values["splits"].items()
        if split["candidates"]
    }
    return {
        "manifest": checked.sha256(os.path.join(folder, manifest.FILE_NAME)),
        "splits": splits,
        "counts": values["counts"],
        "label": values["schema"]["labels"][0],
        "vocabulary": next(iter(values["vocabulary"].values()))["ids"],
    }


def inspect_examples(run: PartRun) -> Outcome:
    """Compares the joined part with the part before.

    Raises:
      UserInputError: a check failed, or data drifted beyond a threshold.
    """
    examples = run.folder("examples")
    found = inspection.inspect(
        None,
        {},
        parts.folder_of(examples, run.part),
        run.folder("statistics", run.part, "examples"),
        **_limits(run, "examples"),
    )
    found.assessment.raise_if_bad()
    return _findings(found)


def withdraw(run: PartRun) -> None:
    """Takes the part out of the data set: its log is to be joined anew."""
    parts.withdraw(run.folder("examples"), run.part)


def _source(options: JoinOptions) -> LogSource:
    derived = dict(options.derived)
    labels = tuple(name for name in options.resolved_labels if name not in options.attributed)
    return LogSource(
        events=options.events,
        labels=tuple(feature_name(name) or name for name in labels),
        derived={name: one for name, one in derived.items() if name in labels},
        timestamp_unit=options.timestamp_unit,
        null_label=options.null_label,
        tables=options.tables,
    )


def _limits(run: PartRun, kind: str) -> dict[str, Any]:
    """Returns how an inspection of this part judges; the first part has nothing before it."""
    before = run.folder("statistics", run.accepted[-1], kind) if run.accepted else None
    thresholds = run.config.drift
    if run.is_settling:
        thresholds = dataclasses.replace(thresholds, **dict.fromkeys(_OF_HISTORIES))
    return {
        "limits": run.config.checks,
        "config": DriftConfig(baseline=before, thresholds=thresholds),
        "command": environment.command(COMMAND),
    }


def _findings(found: Inspection) -> dict[str, Any]:
    return {"assessment": found.assessment.to_dict()}
