"""Figures of the join, by size and by length of history."""

from collections.abc import Mapping
from typing import Any

from docs_build import results
from docs_build.figure import MIB, MILLION, Figure, of_field, of_row


def _join(field: str, form: str, way: str, events: int, scale: float = 1) -> Figure:
    return of_row("join.json", field, form, scale, way=way, events=events)


def _by_processor_time(held: Mapping[str, Any]) -> float:
    """Row-wise to ours, events per second of processor: other jobs ran.

    As for wall time, the start of row-wise counts once; its share is that of the wall time.
    """
    ours, rowwise = (results.pick(held["rows"], way=way) for way in ("ours", "rowwise"))
    start = rowwise["start_seconds"] / rowwise["seconds"]
    more = ours["events"] / rowwise["events"]
    ratio: float = rowwise["cpu_seconds"] * (start + (1 - start) * more) / ours["cpu_seconds"]
    return ratio


JOIN = {
    "join.rowwise_ratio": of_field("join.json", "ratio_rowwise", ".0f"),
    "join.rowwise_bytes_ratio": Figure("join.json", lambda held: 1 / held["ratio_bytes"], ".0f"),
    "join.limit_ratio": of_field("join.json", "ratio_limit", ".2f"),
    "join.large_ratio": of_field("join.json", "ratio_large", ".1f"),
    "join.seconds": _join("seconds", ".1f", "ours", MILLION),
    "join.mib": _join("bytes", ".0f", "ours", MILLION, 1 / MIB),
    "join.peak_mib": _join("peak_mib", ".0f", "ours", MILLION),
    "join.limit_seconds": _join("seconds", ".1f", "limit", MILLION),
    "join.large_seconds": _join("seconds", ".0f", "ours", 10 * MILLION),
    "join.large_mib": _join("bytes", ".0f", "ours", 10 * MILLION, 1 / MIB),
    "join.large_peak_mib": of_field("join.json", "large_peak_mib", ".0f"),
    "join.rowwise_seconds": _join("seconds_at_events", ".0f", "rowwise", MILLION // 10),
    "join.records": of_field("join.json", "records_compared", ",.0f"),
    # Against row-wise with a record per request.
    "join.rowwise_request_ratio": Figure("join_request_records.json", _by_processor_time, ".0f"),
    "join.rowwise_request_bytes_ratio": Figure(
        "join_request_records.json", lambda held: 1 / held["ratio_bytes"], ".0f"
    ),
}


def _step(field: str, form: str, step: int) -> Figure:
    return Figure("scale.json", lambda held: held["steps"][step][field], form)


def _largest(field: str, form: str, unit: float = 1) -> Figure:
    return Figure("scale.json", lambda held: held["rows"][-1][field] / unit, form)


SCALE = {
    **{
        f"scale.step.{number}.{field}": _step(field, ".1f", step)
        for number, step in (("first", 0), ("second", 1))
        for field in ("seconds", "peak_mib")
    },
    "scale.over_one_process": of_field("scale.json", "speed_over_one_process", ".2f"),
    "scale.largest.minutes": _largest("seconds", ".1f", 60),
    "scale.largest.peak_gib": _largest("peak_mib", ".1f", 1024),
    "scale.largest.bytes_per_candidate": _largest("bytes_per_candidate", ".0f"),
    "scale.largest.shards": _largest("shards", ",.0f"),
    "scale.largest.smallest_train_shard_mib": _largest("smallest_train_shard_mib", ".0f"),
    "scale.largest.largest_train_shard_mib": _largest("largest_train_shard_mib", ".0f"),
}


def _joined(history: int) -> Mapping[str, Any]:
    return results.load(f"join_history_{history}.json")


def per_million(held: Mapping[str, Any], field: str) -> float:
    """Returns what a million events more add to a field of a join's rows: its start is left out."""
    small, large = held["rows"]
    difference: float = large[field] - small[field]
    return difference / (large["events"] - small["events"]) * MILLION


def join_line() -> tuple[float, float]:
    """Returns the join's seconds of processor per million events: without behaviors, per behavior.

    From two joins of the same logs that differ in the length of histories alone.
    """
    short, long = map(_joined, (50, 200))
    lengths = [one["rows"][1]["mean_behaviors"] for one in (short, long)]
    seconds = [per_million(one, "cpu_seconds") for one in (short, long)]
    slope = (seconds[1] - seconds[0]) / (lengths[1] - lengths[0])
    return seconds[0] - slope * lengths[0], slope
