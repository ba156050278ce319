"""What training steps of a model with a big item table hold in memory, against the table itself.

    python -m benchmarks.big_table --output benchmarks/results/big_table.json

A whole model of `--rows` items is built and takes steps over random batches, in a process of its
own, and so does one of few items. `grown` is by how much more the most resident memory while steps
run is with many, in multiples of the table's bytes. It should be near `needed`: the table, the
optimizer's slots (two for Adam, one for Adagrad), and the ids, once to look up and once to write
with the model. A dense gradient, or a copy of the table, adds 1 or more to what Adam needs.

Initial values are drawn in about three times the table's bytes, which the process may keep: slots
are made of them, and below two slots `grown` is theirs rather than the steps'. That no step makes
a tensor of the table's size is under test (`tests/models/training/test_big_tables.py`). Linux only.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.measuring import resident_memory
from features.schema import CANDIDATE_ITEM_ID, HISTORY_ITEM_ID, ExampleSchema
from models import factory
from models.model_config import ModelConfig
from models.training import optimizers
from models.training.config import OptimizerName, TrainingConfig
from pipeline.runtime import entry_point, environment

_FLAGS = flags.FLAGS
SLOTS = {"lazy_adam": 2, "adagrad": 1, "adam": 2}
_OOV_BUCKETS = 8
_FEW = 1_000


def define_flags() -> None:
    """Defines the benchmark's flags."""
    flags.DEFINE_integer("rows", 10_000_000, "Items with a row of their own.")
    flags.DEFINE_integer("width", 16, "Columns of the table.")
    flags.DEFINE_list(
        "optimizers", ["lazy_adam", "adagrad"], "Which, of these and adam; one after another."
    )
    flags.DEFINE_float("embedding_l2", 1e-6, "Penalty of the batch's rows; 0 for none.")
    flags.DEFINE_integer("batch", 512, "Requests of a batch, one candidate each.")
    flags.DEFINE_integer("history", 50, "Behaviors of a request.")
    flags.DEFINE_integer("steps", 20, "Steps to take.")
    flags.DEFINE_bool("here", False, "Measure the one optimizer given in this process.")
    flags.DEFINE_string("output", None, "JSON file.")


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def measure(
    optimizer: OptimizerName,
    rows: int,
    width: int,
    embedding_l2: float,
    batch: int,
    history: int,
    steps: int,
) -> dict[str, float]:
    """Returns what this process holds while steps run, and the table alone, MiB.

    Args:
      optimizer: name of one.
      rows: items with a row of their own.
      width: D.
      embedding_l2: of `ModelConfig`.
      batch: R.
      history: L.
      steps: to take.
    """
    config = ModelConfig(
        name="id_only",
        embedding_width=width,
        oov_buckets=_OOV_BUCKETS,
        hidden=(32,),
        embedding_l2=embedding_l2,
    )
    schema = ExampleSchema(labels=("click",), modalities=(), history_length=history)
    model = factory.build_model(config, schema, np.arange(rows, dtype=np.int64))
    settings = TrainingConfig(optimizer=optimizer)
    model.compile(optimizer=optimizers.build_optimizer(model, settings, steps))
    table = model.item_embedding.table
    step = tf.function(model.train_step, autograph=False)
    rng = np.random.default_rng(0)
    resident_memory.reset_peak()
    for _ in range(steps):
        step(_random_batch(schema, rng, rows, batch, history))
    size = table.shape.num_elements() * table.dtype.size / 2**20
    return {"peak_mib": resident_memory.peak_mib(), "table_mib": size}


def _random_batch(
    schema: ExampleSchema, rng: np.random.Generator, rows: int, batch: int, history: int
) -> dict[str, tf.Tensor]:
    values = factory.zero_batch(schema, batch, 1, history)
    for name in (CANDIDATE_ITEM_ID, HISTORY_ITEM_ID):
        values[name] = tf.constant(rng.integers(0, rows, values[name].shape))
    values["click"] = tf.constant(rng.integers(0, 2, (batch, 1)), tf.float32)
    return values


def _main(arguments: Sequence[str]) -> None:
    del arguments
    sizes = ("rows", "width", "embedding_l2", "batch", "history", "steps")
    values: dict[str, Any] = {name: _FLAGS[name].value for name in sizes}
    if _FLAGS.here:
        (kind,) = _FLAGS.optimizers
        print(json.dumps(measure(kind, **values)))
        return
    results = []
    for kind in _FLAGS.optimizers:
        few, many = (_in_a_process(kind, {**values, "rows": rows}) for rows in (_FEW, _FLAGS.rows))
        size = many["table_mib"]
        ids = 2 * _FLAGS.rows * np.dtype(np.int64).itemsize / 2**20
        found = {
            "optimizer": kind,
            **many,
            "needed": 1 + SLOTS[kind] + ids / size,
            "grown": (many["peak_mib"] - few["peak_mib"]) / (size - few["table_mib"]),
        }
        results.append(found)
        print(
            "{optimizer:>10}: table {table_mib:,.0f} MiB, needed {needed:.2f} x, grown {grown:.2f} "
            "x, peak of the process {peak_mib:,.0f} MiB".format(**found),
            flush=True,
        )
    if _FLAGS.output is not None:
        written = {
            "command": environment.command("benchmarks.big_table"),
            "environment": environment.versions(),
            **values,
            "results": results,
        }
        with open(_FLAGS.output, "w") as file:
            file.write(json.dumps(written, indent=2, sort_keys=True) + "\n")


def _in_a_process(kind: str, values: dict[str, Any]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.big_table", "--here", f"--optimizers={kind}"]
    command += [f"--{name}={value}" for name, value in values.items()]
    # Freed memory goes back to the system at once, so that what is resident is in use.
    environ = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "0"}
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environ)
    return json.loads(said.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
