"""What a step of Adam costs as the embedding table grows: dense against lazy, in one run.

    python -m benchmarks.optimizers --output benchmarks/results/optimizers.json

A table of 32 columns, and a sparse gradient of 25,600 rows drawn evenly: a batch of 512 requests
with 50 behaviors; the larger the table, the more of them are distinct. Each size and optimizer
runs in a process of its own, whose peak memory holds the table, two slots and what a step needs.
Ratios hold across machines, milliseconds do not.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import flags

from benchmarks.measuring import measured_process
from models.training.lazy_adam import LazyAdam
from pipeline.runtime import entry_point, environment

_FLAGS = flags.FLAGS
_KINDS = {"adam": keras.optimizers.Adam, "lazy_adam": LazyAdam}


def define_flags() -> None:
    """Defines the benchmark's flags."""
    flags.DEFINE_list("rows", ["10000", "100000", "1000000", "10000000"], "Sizes of the table.")
    flags.DEFINE_integer("width", 32, "Columns of the table.")
    flags.DEFINE_integer("gradient_rows", 25_600, "Rows that a batch reads, with repetitions.")
    flags.DEFINE_integer("repeats", 15, "Timed steps; the median counts.")
    flags.DEFINE_string("only", None, "Times one optimizer at the one size given, in this process.")
    flags.DEFINE_string("output", None, "JSON file.")


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def step_milliseconds(
    kind: str, rows: int, width: int, gradient_rows: int, repeats: int
) -> list[float]:
    """Returns the time of each step, ms, after two that are not counted.

    Args:
      kind: `adam` or `lazy_adam`.
      rows: of the table.
      width: its columns.
      gradient_rows: rows of the sparse gradient, drawn evenly with repetitions.
      repeats: steps to time.
    """
    rng = np.random.default_rng(0)
    table = tf.Variable(tf.zeros([rows, width]))
    optimizer = _KINDS[kind](1e-3)
    optimizer.build([table])
    values = tf.constant(rng.standard_normal((gradient_rows, width)), tf.float32)

    @tf.function(autograph=False)
    def step(indices: tf.Tensor) -> None:
        gradient = tf.IndexedSlices(values, indices, tf.constant([rows, width]))
        optimizer.apply_gradients([(gradient, table)])

    times = []
    for _ in range(repeats + 2):
        indices = tf.constant(rng.integers(0, rows, gradient_rows))
        begin = time.perf_counter()
        step(indices)
        times.append(1e3 * (time.perf_counter() - begin))
    return times[2:]


def _main(arguments: Sequence[str]) -> None:
    del arguments
    sizes = [int(rows) for rows in _FLAGS.rows]
    if _FLAGS.only is not None:
        _write([_timed(_FLAGS.only, sizes[0])])
        return
    found = []
    for rows in sizes:
        pair = {kind: _in_a_process(kind, rows) for kind in _KINDS}
        ratio = pair["adam"]["median_ms"] / pair["lazy_adam"]["median_ms"]
        found.append({"rows": rows, **pair, "adam_over_lazy_adam": ratio})
        print(
            f"{rows:>10,} rows   adam {pair['adam']['median_ms']:9.2f} ms   lazy adam "
            f"{pair['lazy_adam']['median_ms']:7.2f} ms   {ratio:7.1f} x   peak "
            f"{pair['adam']['peak_mib']:,.0f} and {pair['lazy_adam']['peak_mib']:,.0f} MiB",
            flush=True,
        )
    _write(found)


def _timed(kind: str, rows: int) -> dict[str, Any]:
    times = step_milliseconds(kind, rows, _FLAGS.width, _FLAGS.gradient_rows, _FLAGS.repeats)
    return {"median_ms": statistics.median(times), "slowest_ms": max(times)}


def _in_a_process(kind: str, rows: int) -> dict[str, Any]:
    """Times one optimizer at one size; with the process's peak memory, MiB."""
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "times.json")
        sizes = ("width", "gradient_rows", "repeats")
        same = [f"--{name}={_FLAGS[name].value}" for name in sizes]
        same += [f"--only={kind}", f"--rows={rows}"]
        usage = measured_process.run(
            [sys.executable, "-m", "benchmarks.optimizers", *same, f"--output={output}"]
        )
        with open(output) as file:
            return {**json.load(file)["results"][0], "peak_mib": usage.peak_mib}


def _write(results: list[dict[str, Any]]) -> None:
    if _FLAGS.output is None:
        return
    values = {
        "command": environment.command("benchmarks.optimizers"),
        "environment": environment.versions(),
        "width": _FLAGS.width,
        "gradient_rows": _FLAGS.gradient_rows,
        "repeats": _FLAGS.repeats,
        "results": results,
    }
    with open(_FLAGS.output, "w") as file:
        file.write(json.dumps(values, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
