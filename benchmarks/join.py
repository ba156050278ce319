"""Times the join against row-wise Beam, in one run; ten minutes.

Usual commands:

    python -m benchmarks.join --output build/join.json
    python -m benchmarks.join --output build/join.json --ways ours --large_events 0 --repeats 1

Two ways of the same join over simulated logs, each a process of its own, timed from start to exit:

- `rowwise`: Beam as most people write it (`benchmarks.join_alternatives.rowwise`);
- `ours`: `pipeline.build_examples`.

Row-wise is slow, so by default its log is smaller, with the same number of events per user. What it
needs whatever the log (imports, reading the embeddings) is measured on a tiny log and counted once,
so the smaller log does not count against it. Bytes are compared on its log. `ratio_limit`, the
speed against one process without Beam, is a recorded number: `docs/benchmarks.md`.
"""

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from absl import flags

from benchmarks.measuring import measured_process, result_file
from features.errors import UserInputError
from pipeline.runtime import entry_point, json_file
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS
_WAYS = ("rowwise", "ours")
_TINY_EVENTS = 1000
_LEAST_USERS = 10
_MODALITY = "text"
_RECORDED_LIMIT = 0.6283783783783784
_PARAMETERS = ("events_per_user", "items", "dimension", "history_length", "rowwise_record")
_RATIOS = {
    "ratio_rowwise": "x the events per second of row-wise (target: 20 or more)",
    "ratio_limit": "of the limit's speed (target: 0.3 or more); recorded, not measured now",
    "ratio_bytes": "of the bytes of row-wise (target: 0.033 or less)",
    "ratio_large": "x the time, for the larger log",
}
_COMPARED = (
    "Wall time of whole processes. ratio_rowwise: seconds_at_events of row-wise (its start once, "
    "the rest in proportion to the events) to seconds of ours. ratio_bytes: ours to row-wise, on "
    "the row-wise log. ratio_limit: not measured in this run but recorded at commit e19f92a, "
    "seconds of one process without Beam to ours; see docs/benchmarks.md."
)


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("What is measured"):
        flags.DEFINE_list("ways", list(_WAYS), "`WAY,...` Ways to measure: rowwise, ours.")
        flags.DEFINE_integer("repeats", 3, "`COUNT` Runs of ours; the median counts.")
        flags.DEFINE_enum(
            "rowwise_record",
            "candidate",
            ["candidate", "request"],
            "Row-wise writes a record per candidate, as is usual, or per request, as ours does.",
        )
    with flag_group("Sizes"):
        flags.DEFINE_integer("events", 1_000_000, "`COUNT` Impressions of the log of ours.")
        flags.DEFINE_integer(
            "rowwise_events", 100_000, "`COUNT` Impressions of the log of row-wise."
        )
        flags.DEFINE_integer(
            "large_events", 10_000_000, "`COUNT` Impressions of one more run of ours; 0 for none."
        )
        flags.DEFINE_integer(
            "events_per_user", 100, "`COUNT` Mean impressions per user, the same for every log."
        )
        flags.DEFINE_integer("items", 50_000, "`COUNT` Items.")
        flags.DEFINE_integer("dimension", 128, "`M` Width of the embeddings.")
        flags.DEFINE_integer("history_length", 50, "`L` Most behaviors of a request.")
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions.", required=True
        )
        flags.DEFINE_string("work", None, "`FOLDER` Logs and records. Default: a temporary one.")
        flags.DEFINE_bool("keep_work", False, "Keep the folder of logs and records.")


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    if not _FLAGS.ways or not set(_FLAGS.ways) <= set(_WAYS) or _FLAGS.repeats < 1:
        raise UserInputError(
            f"--ways={','.join(_FLAGS.ways)} --repeats={_FLAGS.repeats}: expected some of "
            f"{', '.join(_WAYS)}, and one repeat or more."
        )
    work = os.path.abspath(_FLAGS.work) if _FLAGS.work else tempfile.mkdtemp(prefix="join-")
    os.makedirs(work, exist_ok=True)
    try:
        result = _measure_all(work)
    finally:
        if not _FLAGS.keep_work:
            shutil.rmtree(work, ignore_errors=True)
    result["parameters"] = {name: _FLAGS[name].value for name in _PARAMETERS}
    result_file.write(_FLAGS.output, "benchmarks.join", result)


def _measure_all(work: str) -> dict[str, Any]:
    """Measures every way and returns the rows and their ratios."""
    ratios = {"ratio_rowwise": None, "ratio_bytes": None, "ratio_limit": _RECORDED_LIMIT}
    rows: list[dict[str, Any]] = []
    result: dict[str, Any] = {"rows": rows, **ratios}

    def add_row(way: str, events: int, repeats: int = 1) -> dict[str, Any]:
        rows.append(_row(work, way, events, repeats))
        return rows[-1]

    if ours := "ours" in _FLAGS.ways:
        base = add_row("ours", _FLAGS.events, _FLAGS.repeats)
    if "rowwise" in _FLAGS.ways:
        rowwise = add_row("rowwise", _FLAGS.rowwise_events)
        start = _measure(work, "rowwise", _TINY_EVENTS).seconds
        varying = max(rowwise["seconds"] - start, 0.0)
        share = _FLAGS.events / _FLAGS.rowwise_events
        rowwise["start_seconds"] = round(start, 2)
        rowwise["seconds_at_events"] = round(start + varying * share, 2)
        if ours:
            same = base if share == 1 else add_row("ours", _FLAGS.rowwise_events)
            result["ratio_rowwise"] = rowwise["seconds_at_events"] / base["seconds"]
            result["ratio_bytes"] = same["bytes"] / rowwise["bytes"]
    if ours and _FLAGS.large_events:
        large = add_row("ours", _FLAGS.large_events)
        result["ratio_large"] = large["seconds"] / base["seconds"]
        result["large_peak_mib"] = large["peak_mib"]
    for name, text in _RATIOS.items():
        if result.get(name) is not None:
            print(f"{name:<14} {result[name]:8.3f} {text}")
    return {**result, "compared": _COMPARED}


def _row(work: str, way: str, events: int, repeats: int) -> dict[str, Any]:
    usages = [_measure(work, way, events) for _ in range(repeats)]
    shards = glob.glob(os.path.join(glob.escape(work), f"{way}-{events}", "*.tfrecord"))
    row: dict[str, Any] = {
        "way": way,
        "events": events,
        "bytes": sum(map(os.path.getsize, shards)),
        **measured_process.summary(usages),
    }
    if way == "ours":
        row |= _means(os.path.join(work, f"{way}-{events}"))
    print(
        f"{way:<8} {events:>11,} events {row['seconds']:8.1f} s ({row['cpu_seconds']:.1f} s of "
        f"processor) {row['bytes'] / 2**20:9.1f} MiB written, {row['peak_mib']:,} MiB resident",
        flush=True,
    )
    return row


def _means(examples: str) -> dict[str, Any]:
    """Returns the number of records, and the mean candidates and behaviors of one."""
    splits = json_file.read(os.path.join(examples, "manifest.json"), "The join:")["splits"].values()
    records = sum(split["records"] for split in splits)
    behaviors = (
        int(length) * requests
        for split in splits
        for length, requests in split["history_length"].items()
    )
    return {
        "records": records,
        "mean_candidates": sum(split["candidates"] for split in splits) / records,
        "mean_behaviors": sum(behaviors) / records,
    }


def _measure(work: str, way: str, events: int) -> measured_process.Usage:
    """Runs a way over the log of so many events, simulated on first use, into a new folder."""
    log, output = f"{work}/log-{events}", f"{work}/{way}-{events}"
    if not os.path.isdir(log):
        users = max(events // _FLAGS.events_per_user, _LEAST_USERS)
        simulate = [sys.executable, "-m", "pipeline.simulate", f"--output={log}"]
        simulate += [f"--events={events}", f"--users={users}", f"--items={_FLAGS.items}"]
        simulate += [f"--modalities={_MODALITY}:{_FLAGS.dimension}", "--label_events=inline"]
        measured_process.run(simulate)
    shutil.rmtree(output, ignore_errors=True)
    if way == "ours":
        module = "pipeline.build_examples"
        embeddings = f"{log}/embeddings/{_MODALITY}"
        inputs = [f"--events={log}/impressions", f"--embeddings={_MODALITY}={embeddings}"]
        inputs += ["--timestamp_unit=ms", "--candidate_embeddings="]
    else:
        module = "benchmarks.join_alternatives.rowwise"
        inputs = [f"--log={log}", f"--record={_FLAGS.rowwise_record}"]
    common = [f"--output={output}", f"--history_length={_FLAGS.history_length}"]
    return measured_process.run([sys.executable, "-m", module, *common, *inputs])


if __name__ == "__main__":
    main()
