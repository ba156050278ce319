"""Times reading and joining one log from each format of tables against Parquet; five minutes.

Usual commands:

    python -m benchmarks.table_formats --output build/table_formats.json
    python -m benchmarks.table_formats --events 100000 --repeats 1

One simulated log is written in each format. `reading` opens it and reads what the join reads, in
this process; `join` is `pipeline.build_examples`, timed from start to exit. Rounds go through all
formats, so that a busy machine slows all of them. The records have to be equal, byte for byte.
"""

import functools
import glob
import hashlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from absl import flags
from pyarrow import csv, orc

from benchmarks.measuring import measured_process, result_file
from features.tables import formats
from features.tables.kinds import canonical
from features.tables.options import DEFAULT
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS
_FORMATS = ("parquet", "orc", "csv", "jsonl")
_COMPARED = (
    "Speed of a format: seconds of Parquet to seconds of the format, medians over rounds, of "
    "processor and of wall time."
)


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("events", 1_000_000, "`COUNT` Impressions of the log.")
        flags.DEFINE_integer("events_per_user", 100, "`COUNT` Mean impressions per user.")
    with flag_group("Measurement"):
        flags.DEFINE_integer("repeats", 5, "`COUNT` Rounds over all formats.")
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="table-formats-") as work:
        paths = _written(work)
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in _FORMATS}
        for _round in range(_FLAGS.repeats):
            for name, path in paths.items():
                measured[name].append({**_reading(path), **_join(work, path)})
        digests = {name: _digest(f"{work}/records-{name}") for name in _FORMATS}
        if len(set(digests.values())) != 1:
            raise RuntimeError(f"The records differ by format: {digests}.")
        rows = _rows(paths, measured)
    parameters = {"events": _FLAGS.events, "events_per_user": _FLAGS.events_per_user}
    result = {"rows": rows, "parameters": parameters, "compared": _COMPARED}
    result_file.write(_FLAGS.output, "benchmarks.table_formats", result)


def _written(work: str) -> dict[str, str]:
    """Simulates a log and writes it in each format, a folder each."""
    users = max(_FLAGS.events // _FLAGS.events_per_user, 10)
    simulate = [sys.executable, "-m", "pipeline.simulate", f"--output={work}/log"]
    simulate += [f"--events={_FLAGS.events}", f"--users={users}", "--items=50000"]
    measured_process.run([*simulate, "--modalities=text:8", "--label_events=inline"])
    table = pq.read_table(f"{work}/log/impressions")
    paths = {}
    for name in _FORMATS:
        os.makedirs(f"{work}/{name}")
        paths[name] = f"{work}/{name}/log.{name}"
    pq.write_table(table, paths["parquet"], row_group_size=1 << 18)
    orc.write_table(table, paths["orc"])
    csv.write_csv(table, paths["csv"])
    with open(paths["jsonl"], "w", encoding="utf-8") as file:
        for batch in table.to_batches(1 << 14):
            file.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
    return paths


def _reading(path: str) -> dict[str, float]:
    begin, begin_processor = time.perf_counter(), time.process_time()
    content = formats.inspect(path, DEFAULT)
    types = {field.name: canonical(field.type) or pa.null() for field in content.schema}
    read = functools.partial(formats.read, path, content.format)
    rows = sum(
        batch.num_rows
        for place in content.places
        for batch in read(place, list(types), types, DEFAULT)
    )
    if rows != _FLAGS.events:
        raise RuntimeError(f"{path} has {rows} rows, expected {_FLAGS.events}.")
    return {
        "reading_seconds": time.perf_counter() - begin,
        "reading_cpu_seconds": time.process_time() - begin_processor,
    }


def _join(work: str, path: str) -> dict[str, float]:
    output = f"{work}/records-{os.path.splitext(path)[1][1:]}"
    shutil.rmtree(output, ignore_errors=True)
    join = [sys.executable, "-m", "pipeline.build_examples", f"--output={output}"]
    join += [f"--events={path}", f"--embeddings=text={work}/log/embeddings/text"]
    join += ["--timestamp_unit=ms", "--candidate_embeddings=", "--history_length=50"]
    usage = measured_process.run(join)
    return {
        "join_seconds": usage.seconds,
        "join_cpu_seconds": usage.cpu_seconds,
        "join_peak_mib": usage.peak_mib,
    }


def _digest(records: str) -> str:
    digest = hashlib.sha256()
    for shard in sorted(glob.glob(f"{records}/*.tfrecord")):
        digest.update(os.path.basename(shard).encode())
        with open(shard, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _rows(
    paths: dict[str, str], measured: dict[str, list[dict[str, float]]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, rounds in measured.items():
        medians = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        size = os.path.getsize(paths[name])
        row: dict[str, Any] = {"format": name, "bytes": size, **medians}
        base = rows[0] if rows else row
        for key in [key for key in medians if key.endswith("seconds")]:
            row[key.replace("seconds", "speed")] = base[key] / row[key]
        rows.append(row)
        print(
            f"{name:<8} {size / 2**20:7.1f} MiB   reading {row['reading_cpu_speed']:5.2f}, "
            f"join {row['join_speed']:5.2f} of Parquet's speed ({row['join_seconds']:.1f} s, "
            f"{row['join_peak_mib']:,.0f} MiB resident)",
            flush=True,
        )
    return rows


if __name__ == "__main__":
    main()
