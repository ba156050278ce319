"""The join against the plain way and against the limit, in one run.

    python -m benchmarks.join --output FILE.json

Three ways of the same join over one simulated log, each a process of its own, timed from start
to exit:

- `rowwise`: Beam as most people write it (`benchmarks.join_alternatives.rowwise`);
- `ours`: `pipeline.build_examples`;
- `limit`: one process without Beam (`benchmarks.join_alternatives.single_process`), whose records
  must equal ours, or no ratio is reported.

Row-wise is slow, so by default its log is smaller, with the same events a user. What it needs
whatever the log (imports, reading the embeddings) is measured on a tiny log and counted once, so
the smaller log does not count against it. Bytes are compared on its log.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from absl import flags

from benchmarks.join_alternatives import joined_records
from benchmarks.join_alternatives.joined_records import MODALITY
from benchmarks.measuring import measured_process
from features.errors import UserInputError
from pipeline.runtime import entry_point, environment

_FLAGS = flags.FLAGS
_WAYS = ("rowwise", "ours", "limit")
_MODULES = {"rowwise": "rowwise", "limit": "single_process"}
_TINY_EVENTS = 1000
_LEAST_USERS = 10


def define_flags() -> None:
    """Defines the benchmark's flags."""
    flags.DEFINE_string("output", None, "JSON file.", required=True)
    flags.DEFINE_list("ways", list(_WAYS), "Which ways to measure.")
    flags.DEFINE_integer("events", 1_000_000, "Impressions, for ours and the limit.")
    flags.DEFINE_integer("rowwise_events", 100_000, "Impressions, for row-wise.")
    flags.DEFINE_integer("large_events", 10_000_000, "Impressions of one more run; 0 for none.")
    flags.DEFINE_integer("events_per_user", 100, "On average; the same for every log.")
    flags.DEFINE_integer("items", 50_000, "Items.")
    flags.DEFINE_integer("dimension", 128, "Embedding width M.")
    flags.DEFINE_integer("history_length", 50, "The most behaviors of a request (L).")
    flags.DEFINE_integer("repeats", 3, "Runs of ours and of the limit; the median counts.")
    flags.DEFINE_enum(
        "rowwise_record",
        "candidate",
        ["candidate", "request"],
        "Row-wise writes a record a candidate, as is usual, or a request, as ours does.",
    )
    flags.DEFINE_string("work", None, "Folder for logs and records; default: a temporary one.")
    flags.DEFINE_bool("keep_work", False, "Keep that folder.")


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    unknown = set(_FLAGS.ways) - set(_WAYS)
    if unknown or not _FLAGS.ways or _FLAGS.repeats < 1:
        raise UserInputError(
            f"--ways={','.join(_FLAGS.ways)} --repeats={_FLAGS.repeats}: expected some of "
            f"{', '.join(_WAYS)}, and one repeat or more."
        )
    work = os.path.abspath(_FLAGS.work) if _FLAGS.work else tempfile.mkdtemp(prefix="join-")
    os.makedirs(work, exist_ok=True)
    try:
        result = _Benchmark(work).result()
    finally:
        if not _FLAGS.keep_work:
            shutil.rmtree(work, ignore_errors=True)
    with open(_FLAGS.output, "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")


class _Benchmark:
    """One run: its logs, its rows.

    Args:
      work: folder for logs and records.
    """

    def __init__(self, work: str):
        self._work = work
        self._rows: list[dict[str, Any]] = []

    def result(self) -> dict[str, Any]:
        """Measures every way and returns the JSON's values."""
        ways = _FLAGS.ways
        result: dict[str, Any] = {"rows": self._rows, "ratio_rowwise": None, "ratio_limit": None}
        result |= {"ratio_bytes": None, "records_compared": 0}
        ours, limit = self._ours_and_limit(result)
        if "rowwise" in ways:
            rowwise = self._row("rowwise", _FLAGS.rowwise_events)
            tiny = self._measure("rowwise", _TINY_EVENTS)
            varying = max(rowwise["seconds"] - tiny.seconds, 0.0)
            share = _FLAGS.events / _FLAGS.rowwise_events
            rowwise["start_seconds"] = round(tiny.seconds, 2)
            rowwise["seconds_at_events"] = round(tiny.seconds + varying * share, 2)
            if ours:
                result["ratio_rowwise"] = rowwise["seconds_at_events"] / ours["seconds"]
                result["ratio_bytes"] = self._ours_bytes(ours) / rowwise["bytes"]
        if ours and limit:
            result["ratio_limit"] = limit["seconds"] / ours["seconds"]
        if ours and _FLAGS.large_events:
            large = self._row("ours", _FLAGS.large_events)
            result["ratio_large"] = large["seconds"] / ours["seconds"]
            result["large_peak_mib"] = large["peak_mib"]
        _print_ratios(result)
        return {**result, **_provenance()}

    def _ours_and_limit(
        self, result: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Measures both by turns, so that they share what else the machine does."""
        ways = [way for way in ("ours", "limit") if way in _FLAGS.ways]
        usages: dict[str, list[measured_process.Usage]] = {way: [] for way in ways}
        for _ in range(_FLAGS.repeats):
            for way in ways:
                usages[way].append(self._measure(way, _FLAGS.events))
        rows = {way: self._add_row(way, _FLAGS.events, usages[way]) for way in ways}
        if len(ways) == 2:
            ours, limit = (self._records(way, _FLAGS.events) for way in ways)
            result["records_compared"] = joined_records.check_equal(ours, limit)
        return rows.get("ours"), rows.get("limit")

    def _row(self, way: str, events: int) -> dict[str, Any]:
        return self._add_row(way, events, [self._measure(way, events)])

    def _ours_bytes(self, ours: dict[str, Any]) -> int:
        """Returns the size of our records of the row-wise log."""
        if _FLAGS.rowwise_events != _FLAGS.events:
            ours = self._row("ours", _FLAGS.rowwise_events)
        return ours["bytes"]

    def _measure(self, way: str, events: int) -> measured_process.Usage:
        """Runs a way over the log of so many events; what an earlier run wrote is removed."""
        log, output = self._log(events), self._records(way, events)
        shutil.rmtree(output, ignore_errors=True)
        python = [sys.executable, "-m"]
        common = [f"--output={output}", f"--history_length={_FLAGS.history_length}"]
        if way == "ours":
            return measured_process.run([*python, "pipeline.build_examples", *common, *_ours(log)])
        extra = [f"--record={_FLAGS.rowwise_record}"] if way == "rowwise" else []
        return measured_process.run(
            [
                *python,
                f"benchmarks.join_alternatives.{_MODULES[way]}",
                *common,
                f"--log={log}",
                *extra,
            ]
        )

    def _add_row(
        self, way: str, events: int, usages: Sequence[measured_process.Usage]
    ) -> dict[str, Any]:
        seconds = statistics.median(usage.seconds for usage in usages)
        row: dict[str, Any] = {
            "way": way,
            "events": events,
            "seconds": round(seconds, 2),
            "bytes": joined_records.shard_bytes(self._records(way, events)),
            "peak_mib": round(max(usage.peak_mib for usage in usages)),
            "cpu_seconds": round(statistics.median(usage.cpu_seconds for usage in usages), 2),
            "largest_process_mib": round(max(usage.largest_process_mib for usage in usages)),
            "processes": max(usage.processes for usage in usages),
            "repeats": len(usages),
        }
        self._rows.append(row)
        print(
            f"{way:<8} {events:>11,} events {row['seconds']:8.1f} s ({row['cpu_seconds']:.1f} s of "
            f"processor) {row['bytes'] / 2**20:9.1f} MiB written, {row['peak_mib']:,} MiB resident",
            flush=True,
        )
        return row

    def _log(self, events: int) -> str:
        """Returns the log of so many events, simulated on first use."""
        folder = os.path.join(self._work, f"log-{events}")
        if not os.path.isdir(folder):
            users = max(events // _FLAGS.events_per_user, _LEAST_USERS)
            simulate = [sys.executable, "-m", "benchmarks.simulate", f"--output={folder}"]
            simulate += [f"--events={events}", f"--users={users}", f"--items={_FLAGS.items}"]
            simulate += [f"--modalities={MODALITY}:{_FLAGS.dimension}", "--label_events=inline"]
            measured_process.run(simulate)
        return folder

    def _records(self, way: str, events: int) -> str:
        return os.path.join(self._work, f"{way}-{events}")


def _ours(log: str) -> list[str]:
    """Returns the flags of `pipeline.build_examples` for a simulated log."""
    return [
        f"--events={os.path.join(log, 'impressions')}",
        f"--embeddings={MODALITY}={os.path.join(log, 'embeddings', MODALITY)}",
        "--timestamp_unit=ms",
        "--candidate_embeddings=",
    ]


def _print_ratios(result: dict[str, Any]) -> None:
    described = {
        "ratio_rowwise": "x the events per second of row-wise (target: 20 or more)",
        "ratio_limit": "of the limit's speed (target: 0.3 or more)",
        "ratio_bytes": "of the bytes of row-wise (target: 0.033 or less)",
        "ratio_large": "x the time, for the larger log",
    }
    for name, text in described.items():
        if result.get(name) is not None:
            print(f"{name:<14} {result[name]:8.3f} {text}")


def _provenance() -> dict[str, Any]:
    """Returns how the figures came about."""
    names = ("events_per_user", "items", "dimension", "history_length", "rowwise_record")
    return {
        "compared": (
            "Wall time of whole processes. ratio_rowwise: seconds_at_events of row-wise (its "
            "start once, the rest in proportion to the events) to seconds of ours. ratio_limit: "
            "seconds of the limit to ours. ratio_bytes: ours to row-wise, on the row-wise log."
        ),
        "parameters": {name: _FLAGS[name].value for name in names},
        "command": environment.command("benchmarks.join"),
        "environment": environment.versions(),
    }


if __name__ == "__main__":
    main()
