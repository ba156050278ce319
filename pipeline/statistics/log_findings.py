"""Findings in the statistics of a behavior log."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from features import time_units
from features.schema import REQUEST_ID, TIMESTAMP, USER_ID
from pipeline.statistics.findings import Finding, bad_rows, share
from pipeline.statistics.options import CheckLimits

_IDS = (USER_ID, "item_id")
_REQUIRED = (*_IDS, TIMESTAMP, REQUEST_ID)
_EXPECTED_COUNT = 20
"""The least count that is expected of a stretch of time before its absence is a finding."""


def find(log: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    """Yields the findings in what `pipeline.statistics.log.log_statistics` returned."""
    yield from _times(log, limits)
    for name, label in log["labels"].items():
        yield from _label(name, label, log, limits)
    for name, column in log["columns"].items():
        if name not in log["labels"]:
            yield from _column(name, column, limits)
    for name, column in log.get("not_read", {}).items():
        if column["reason"]:
            yield Finding("warning", "not_read", f"events.{name}", column["reason"])
    yield from _activity("user", log, limits.max_user_share)
    yield from _activity("item", log, limits.max_item_share)
    repeated = log["duplicates"]["share"]
    if repeated > limits.max_duplicate_share:
        text = (
            f"{repeated:.1%} of the rows repeat another in every column, more than "
            f"{limits.max_duplicate_share:.1%}; the join keeps one of each. Was a file written "
            "twice?"
        )
        yield Finding("warning", "duplicates", "events", text)
    yield from _gaps(log)


def _times(log: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    column, unit, subject = log["columns"][TIMESTAMP], log["time"]["unit"], "events.timestamp"
    if "quantiles" in column:
        median = np.array([dict(column["quantiles"])[0.5]], np.int64)
        other = time_units.fitting_unit(median, unit)
        if other is not None:
            advice = "write the times again, the writer took one unit for the other"
            if column["kind"] != "time":
                advice = f"give --timestamp_unit {other}"
            text = f"{time_units.misfit(median, unit, other)}: {advice}."
            yield Finding("error", "timestamp_unit", subject, text)
        if column["distinct"] == 1 and log["rows"] > 1:
            text = (
                f"every event has the timestamp {column['min']:.0f}, so none can be a behavior of "
                "another. Expected the time of the event, not of the export."
            )
            yield Finding("warning", "one_instant", subject, text)
    # Null timestamps are a finding of their column.
    bad = log["time"]["out_of_range"] - column["nulls"]
    what = f"negative or after 2200 in {unit}"
    if column["kind"] == "time":
        what = "no time from 1970 to 2200"
    text = (
        f"{bad:,} of {log['rows']:,} are {what}; the join quarantines them. Check "
        f"{'' if column['kind'] == 'time' else '--timestamp_unit and '}the writer."
    )
    yield from bad_rows(bad, log["rows"], limits, "timestamp_range", subject, text)


def _label(
    name: str, label: Mapping[str, Any], log: Mapping[str, Any], limits: CheckLimits
) -> Iterator[Finding]:
    subject, rows, buckets = f"events.{name}", log["rows"], log["time"]["buckets"]
    if label["rate"] in (0, 1):
        text = (
            f"{label['positives']:,} of {label['known']:,} are positive: nothing can be learned "
            "from one class. Does the log hold impressions as well as clicks?"
        )
        yield Finding("error", "label_constant", subject, text)
    text = (
        f"{label['bad']:,} values are neither 0 nor 1; the join quarantines them. Derive the "
        f"label: --derive_label 'name = {name} > 0'."
    )
    yield from bad_rows(label["bad"], rows, limits, "label_domain", subject, text)
    text = f"{label['nulls']:,} of {rows:,} are null."
    yield from bad_rows(label["nulls"], rows, limits, "missing", subject, text)
    empty = [
        one
        for one in buckets
        if label["positives"]
        and not one["labels"][name]["positives"]
        and one["labels"][name]["known"] * label["rate"] >= _EXPECTED_COUNT
    ]
    if empty:
        text = (
            f"no positive in {len(empty)} of {len(buckets)} stretches of time, the first from "
            f"{_day(empty[0]['start'])}, though {label['rate']:.1%} of all are. Labels that arrive "
            "late, or a broken tracker?"
        )
        yield Finding("warning", "label_gap", subject, text)


def _column(name: str, column: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    subject, nulls, rows = f"events.{name}", column["nulls"], column["rows"]
    if name in _REQUIRED:
        text = f"{nulls:,} of {rows:,} are null; the join quarantines them."
        yield from bad_rows(nulls, rows, limits, "missing", subject, text)
    elif (found := share(nulls, rows)) > limits.max_missing_share:
        text = f"{found:.1%} are null, more than {limits.max_missing_share:.1%}."
        yield Finding("warning", "missing", subject, text)
    if name in _IDS:
        text = (
            f"{column['empty']:,} of {rows:,} are empty; the join quarantines them. Write the id, "
            "or leave the rows out."
        )
        yield from bad_rows(column["empty"], rows, limits, "empty_id", subject, text)
    if column.get("not_finite"):
        text = (
            f"{column['not_finite']:,} values are NaN or infinite; the join quarantines such rows "
            "if it reads the column. Write a number, or null in a column that is context alone."
        )
        yield Finding("warning", "not_finite", subject, text)
    if column.get("distinct") == 1 and rows > 1 and name != TIMESTAMP:
        text = f"every value is {column['top'][0][0]!r}: the column does not tell rows apart."
        yield Finding("warning", "constant", subject, text)


def _activity(what: str, log: Mapping[str, Any], limit: float) -> Iterator[Finding]:
    column = log["columns"][f"{what}_id"]
    if column["distinct"] < 2:
        return
    value, rows = column["top"][0]
    found = share(rows, log["rows"])
    if found > limit:
        text = (
            f"{value!r} has {found:.1%} of the events, more than {limit:.1%}. A "
            "robot, or an id that stands for many?"
        )
        yield Finding("warning", f"one_{what}", f"events.{what}_id", text)


def _gaps(log: Mapping[str, Any]) -> Iterator[Finding]:
    """Finds stretches without an event between two that have many."""
    buckets = log["time"]["buckets"]
    filled = [index for index, bucket in enumerate(buckets) if bucket["events"]]
    gaps = [
        (before, after)
        for before, after in itertools.pairwise(filled)
        if after > before + 1
        and min(buckets[index]["events"] for index in (before, after)) >= _EXPECTED_COUNT
    ]
    if gaps:
        empty = sum(after - before - 1 for before, after in gaps)
        text = (
            f"{empty} of {len(buckets)} stretches of time have no event although those around them "
            f"have; the first from {_day(buckets[gaps[0][0] + 1]['start'])}. Is a file missing?"
        )
        yield Finding("warning", "time_gap", "events.timestamp", text)


def _day(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC).strftime("%Y-%m-%d %H:%M")
