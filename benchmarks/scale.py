"""Times the join of logs of one shape and three sizes, up to 100 million events; half an hour.

Usual commands:

    python -m benchmarks.scale --work build/scale --output build/scale.json
    python -m benchmarks.scale --work build/scale --output build/scale.json --sizes 100000,1000000

The log, its users and its items grow together: 50 events per user, 100 per item, and two embedding
sets of 128 and 64. Each size is joined as `pipeline.build_examples` does by default, and the middle
one also in one process, the baseline, in the same run. Logs stay in `--work`; records are removed.
Records of 100 million events take 28 GB, beside the log and what waits. Ratios hold across
machines, seconds do not.
"""

import hashlib
import itertools
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks.measuring import measured_process, result_file
from features.errors import UserInputError
from pipeline.runtime import entry_point, json_file
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS
_EVENTS_PER_USER = 50
_EVENTS_PER_ITEM = 100
_MODALITIES = {"text": 128, "image": 64}
_ONE_PROCESS = "one process"
_DEFAULT = "default"
_MIB = 1 << 20


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_list(
            "sizes", ["1000000", "10000000", "100000000"], "`COUNT,...` Events of each log."
        )
        flags.DEFINE_integer("history_length", 50, "`L` Most behaviors of a request.")
        flags.DEFINE_integer("repeats", 3, "`COUNT` Runs of all but the largest; medians count.")
    with flag_group("Output"):
        flags.DEFINE_string("work", None, "`FOLDER` Logs, which stay, and records.", required=True)
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    sizes = sorted(int(size) for size in _FLAGS.sizes if size.isdecimal())
    if len(sizes) != len(_FLAGS.sizes) or not sizes or sizes[0] < 10_000:
        raise UserInputError(
            f"--sizes={','.join(_FLAGS.sizes)}: expected numbers of events of 10,000 or more."
        )
    rows = []
    for events in sizes:
        repeats = _FLAGS.repeats if events != sizes[-1] or len(sizes) == 1 else 1
        rows.append(_row(events, _DEFAULT, repeats))
        if events == sizes[len(sizes) // 2]:
            rows.append(_row(events, _ONE_PROCESS, repeats))
    default = [row for row in rows if row["way"] == _DEFAULT]
    steps = [
        {
            "from": small["events"],
            "to": large["events"],
            "seconds": large["seconds"] / small["seconds"],
            "cpu_seconds": large["cpu_seconds"] / small["cpu_seconds"],
            "peak_mib": large["peak_mib"] / small["peak_mib"],
        }
        for small, large in itertools.pairwise(default)
    ]
    middle = {row["way"]: row for row in rows if row["events"] == sizes[len(sizes) // 2]}
    here, baseline = middle[_DEFAULT], middle[_ONE_PROCESS]
    result = {
        "rows": rows,
        "steps": steps,
        "speed_over_one_process": baseline["seconds"] / here["seconds"],
        "same_bytes": baseline["sha256_of_shards"] == here["sha256_of_shards"],
        "parameters": {
            "history_length": _FLAGS.history_length,
            "events_per_user": _EVENTS_PER_USER,
            "events_per_item": _EVENTS_PER_ITEM,
            "modalities": _MODALITIES,
        },
    }
    result_file.write(_FLAGS.output, "benchmarks.scale", result)


def _row(events: int, way: str, repeats: int) -> dict[str, Any]:
    output = os.path.join(_FLAGS.work, f"examples-{events}")
    command = [*_join(events), f"--output={output}"]
    if way == _ONE_PROCESS:
        command.append("--direct_num_workers=1")
    usages = []
    for _ in range(repeats):
        shutil.rmtree(output, ignore_errors=True)
        usages.append(measured_process.run(command))
    manifest = json_file.read(os.path.join(output, "manifest.json"), "The join:")
    shutil.rmtree(output)
    row = {
        "way": way,
        "events": events,
        **measured_process.summary(usages),
        **_written(manifest),
    }
    print(
        f"{events:>11,} events, {way}: {row['seconds']:.1f} s, {row['cpu_seconds']:.1f} s of "
        f"processor, {row['peak_mib']:,.0f} MiB resident, {row['bytes'] / _MIB:,.0f} MiB in "
        f"{row['shards']} shards",
        flush=True,
    )
    return row


def _join(events: int) -> list[str]:
    """Returns the join of a log, which is simulated unless it is there."""
    log = os.path.join(_FLAGS.work, f"log-{events}")
    if not os.path.exists(os.path.join(log, "manifest.json")):
        modalities = ",".join(f"{name}:{width}" for name, width in _MODALITIES.items())
        simulate = [sys.executable, "-m", "pipeline.simulate", f"--output={log}"]
        simulate += [f"--events={events}", f"--users={events // _EVENTS_PER_USER}"]
        simulate += [f"--items={events // _EVENTS_PER_ITEM}", f"--modalities={modalities}"]
        measured_process.run([*simulate, "--label_events=inline"])
    join = [sys.executable, "-m", "pipeline.build_examples", f"--events={log}/impressions"]
    join += [f"--embeddings={name}={log}/embeddings/{name}" for name in _MODALITIES]
    return [*join, "--timestamp_unit=ms", f"--history_length={_FLAGS.history_length}"]


def _written(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a data set's manifest says of its shards and records."""
    shards = list(manifest["shards"].values())
    splits = manifest["splits"].values()
    train = [shard["bytes"] / _MIB for shard in shards if shard["split"] == "train"]
    size = sum(shard["bytes"] for shard in shards)
    candidates = sum(split["candidates"] for split in splits)
    return {
        "bytes": size,
        "bytes_per_candidate": size / candidates,
        "shards": len(shards),
        "smallest_train_shard_mib": min(train),
        "largest_train_shard_mib": max(train),
        "records": sum(split["records"] for split in splits),
        "candidates": candidates,
        "sha256_of_shards": _digest(manifest["shards"]),
    }


def _digest(shards: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns one hash of the names and bytes of all shards."""
    lines = (f"{name} {shards[name]['sha256']}\n" for name in sorted(shards))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    main()
