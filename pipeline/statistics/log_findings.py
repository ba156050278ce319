"""What is wrong or odd in the statistics of a behavior log."""

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.join.rules import splits
from pipeline.statistics.findings import Finding, bad_rows, share
from pipeline.statistics.options import CheckLimits

_PLAUSIBLE = (631_152_000, 4_102_444_800)
"""1990 and 2100, seconds since 1970."""

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_EXPECTED_POSITIVES = 20
_EXPECTED_EVENTS = 20


def find(log: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    """Yields the findings of a log.

    Args:
      log: from `pipeline.statistics.log.log_statistics`.
      limits: what is too much.
    """
    yield from _times(log, limits)
    yield from _labels(log, limits)
    for name, column in log["columns"].items():
        yield from _column(name, column, log, limits)
    yield from _activity(log, limits)
    duplicates = log["duplicates"]["share"]
    if duplicates > limits.duplicates:
        yield Finding(
            "warning",
            "duplicates",
            "events",
            f"{duplicates:.1%} of the rows repeat another in every column, more than "
            f"{limits.duplicates:.1%}; the join keeps one of each. Was a file written twice?",
        )
    yield from _gaps(log)


def _times(log: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    column, unit = log["columns"]["timestamp"], log["time"]["unit"]
    if "quantiles" in column:
        median = dict(column["quantiles"])[0.5]
        fits = {name: _is_plausible(median / size) for name, size in _PER_SECOND.items()}
        others = [name for name, good in fits.items() if good and name != unit]
        if not fits[unit] and others:
            advice = (
                f"give --timestamp_unit {others[0]}"
                if others[0] in splits.MICROSECONDS
                else f"write them in {unit}"
            )
            yield Finding(
                "error",
                "timestamp_unit",
                "events.timestamp",
                f"the median, {median:.0f}, is {_year(median / _PER_SECOND[unit])} in {unit}, but "
                f"{_year(median / _PER_SECOND[others[0]])} in {others[0]}: {advice}.",
            )
        if column["distinct"] == 1 and log["rows"] > 1:
            yield Finding(
                "warning",
                "one_instant",
                "events.timestamp",
                f"every event has the timestamp {column['min']:.0f}, so none can be a behavior of "
                "another. Expected the time of the event, not of the export.",
            )
    # A null timestamp is told of its column.
    bad = log["time"]["out_of_range"] - column["nulls"]
    if severity := bad_rows(bad, log["rows"], limits.bad):
        yield Finding(
            severity,
            "timestamp_range",
            "events.timestamp",
            f"{bad:,} of {log['rows']:,} are negative or after 2200 in {unit}; the join "
            "quarantines them. Check --timestamp_unit and the writer.",
        )


def _labels(log: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    for name, label in log["labels"].items():
        subject = f"events.{name}"
        if label["rate"] in (0, 1):
            yield Finding(
                "error",
                "label_constant",
                subject,
                f"{label['positives']:,} of {label['known']:,} are positive: nothing can be "
                "learned from one class. Does the log hold impressions as well as clicks?",
            )
        if severity := bad_rows(label["bad"], log["rows"], limits.bad):
            yield Finding(
                severity,
                "label_domain",
                subject,
                f"{label['bad']:,} values are neither 0 nor 1; the join quarantines them. Derive "
                f"the label: --derive_label 'name = {name} > 0'.",
            )
        if severity := bad_rows(label["nulls"], log["rows"], limits.bad):
            yield Finding(
                severity, "missing", subject, f"{label['nulls']:,} of {log['rows']:,} are null."
            )
        yield from _label_gap(name, label, log["time"])


def _label_gap(name: str, label: Mapping[str, Any], time: Mapping[str, Any]) -> Iterator[Finding]:
    """Looks for stretches in which the label never comes although it should have."""
    if not label["positives"]:
        return
    empty = [
        bucket
        for bucket in time["buckets"]
        if not bucket["labels"][name]["positives"]
        and bucket["labels"][name]["known"] * label["rate"] >= _EXPECTED_POSITIVES
    ]
    if empty:
        yield Finding(
            "warning",
            "label_gap",
            f"events.{name}",
            f"no positive in {len(empty)} of {len(time['buckets'])} stretches of time, the first "
            f"from {_day(empty[0]['start'])}, though {label['rate']:.1%} of all are. Labels that "
            "arrive late, or a broken tracker?",
        )


def _column(
    name: str, column: Mapping[str, Any], log: Mapping[str, Any], limits: CheckLimits
) -> Iterator[Finding]:
    subject, nulls, rows = f"events.{name}", column["nulls"], column["rows"]
    if name in log["labels"]:
        return
    required = name in ("user_id", "item_id", "timestamp", "request_id")
    if required and (severity := bad_rows(nulls, rows, limits.bad)):
        text = f"{nulls:,} of {rows:,} are null; the join quarantines them."
        yield Finding(severity, "missing", subject, text)
    elif not required and share(nulls, rows) > limits.missing:
        text = f"{share(nulls, rows):.1%} are null, more than {limits.missing:.1%}."
        yield Finding("warning", "missing", subject, text)
    if column.get("not_finite"):
        text = f"{column['not_finite']:,} values are NaN or infinite; write null instead."
        yield Finding("warning", "not_finite", subject, text)
    if column.get("distinct") == 1 and rows > 1 and name != "timestamp":
        text = f"every value is {column['top'][0][0]!r}: it tells rows apart in nothing."
        yield Finding("warning", "constant", subject, text)


def _activity(log: Mapping[str, Any], limits: CheckLimits) -> Iterator[Finding]:
    for name, what, limit in (("user_id", "user", limits.user), ("item_id", "item", limits.item)):
        column = log["columns"][name]
        if column["distinct"] < 2:
            continue
        value, rows = column["top"][0]
        if share(rows, log["rows"]) > limit:
            yield Finding(
                "warning",
                f"one_{what}",
                f"events.{name}",
                f"{value!r} has {share(rows, log['rows']):.1%} of the events, more than "
                f"{limit:.1%}. A robot, or an id that stands for many?",
            )


def _gaps(log: Mapping[str, Any]) -> Iterator[Finding]:
    """Looks for stretches without an event between two that have many."""
    buckets = log["time"]["buckets"]
    filled = [index for index, bucket in enumerate(buckets) if bucket["events"]]
    gaps = [
        (before, after)
        for before, after in itertools.pairwise(filled)
        if after > before + 1
        and min(buckets[index]["events"] for index in (before, after)) >= _EXPECTED_EVENTS
    ]
    if gaps:
        empty = sum(after - before - 1 for before, after in gaps)
        yield Finding(
            "warning",
            "time_gap",
            "events.timestamp",
            f"{empty} of {len(buckets)} stretches of time have no event although those around "
            f"them have; the first from {_day(buckets[gaps[0][0] + 1]['start'])}. Is a file "
            "missing?",
        )


def _is_plausible(seconds: float) -> bool:
    return _PLAUSIBLE[0] <= seconds < _PLAUSIBLE[1]


def _year(seconds: float) -> str:
    return f"the year {1970 + seconds / 31_556_952:.0f}"


def _day(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC).strftime("%Y-%m-%d %H:%M")
