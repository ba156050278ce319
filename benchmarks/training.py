"""Times training against the usual way and against reading alone; two minutes.

Usual commands:

    python -m benchmarks.training --output build/training.json
    python -m benchmarks.training --requests 500 --rounds 3 --threads 1,1

Batches of 512 candidates, 50 behaviors, width 128, 100,000 items, two modalities, an MLP of 1024,
512 and 256. The baseline is `materialized`: the same model, checked to be equal before anything is
timed, with keys and values of shape `[C, L, d]` and one dense Adam over everything. Implementations
without requests have one row per candidate: `ratio_grouped_to_materialized` is the gain over those.
Ways take turns, round by round; a ratio is the median over rounds of the ratio within a round.
A process has one number of threads: to compare, run again with other `--threads`.

`kernels` has native kernels, where `make kernels` built them; all other ways are on stock ops.
`--external NAME=COMMAND` measures another implementation in the same turns: the command is started
once; for each line that it reads it takes some steps and prints the number of their candidates and
the processor seconds that they took, as in `2048 1.93`.

Wall time is the better guide on an idle machine, processor time (`_cpu`) on a busy one.
"""

import contextlib
import dataclasses
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from benchmarks.measuring import result_file
from benchmarks.model_alternatives import external_way, training_records, training_ways
from benchmarks.model_alternatives.training_ways import Way
from kernels import library
from models.inputs.example_set import ExampleSet
from models.training import execution
from models.training.config import TrainingConfig
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS
_BASE = "ours"
_COMPARED = {
    "materialized": (_BASE, "materialized"),
    "input": ("reading", _BASE),
    "grouped": ("ours, grouped", _BASE),
    "grouped_to_materialized": ("ours, grouped", "materialized"),
    "kernels": ("ours, kernels", _BASE),
    "kernels_grouped": ("ours, kernels, grouped", "ours, grouped"),
    "kernels_adam": ("ours, kernels, adam", "ours, adam"),
}


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("requests", 2000, "`COUNT` Requests of the records.")
        flags.DEFINE_integer("candidates", 20, "`C` Candidates of a request.")
        flags.DEFINE_integer("history_length", 50, "`L` Behaviors of a request.")
        flags.DEFINE_integer("items", 100_000, "`N` Items, rows of the table.")
    with flag_group("Measurement"):
        flags.DEFINE_integer("rounds", 7, "`COUNT` Turns of each way.")
        flags.DEFINE_integer("steps", 4, "`COUNT` Steps per turn.")
        flags.DEFINE_string(
            "threads", "2,2", "`WITHIN,AT_ONCE` Threads within an op, ops at the same time."
        )
        flags.DEFINE_multi_string(
            "external", [], "`NAME=COMMAND` Another implementation, as the page above says."
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    within, at_once = map(int, _FLAGS.threads.split(","))
    ours = TrainingConfig(
        optimizer="lazy_adam",
        intra_op_threads=within,
        inter_op_threads=at_once,
        kernels="off",
    )
    execution.set_threads(ours)
    sizes = (_FLAGS.requests, _FLAGS.candidates, _FLAGS.history_length, _FLAGS.items)
    with tempfile.TemporaryDirectory() as folder:
        examples = training_records.write(os.path.join(folder, "examples"), *sizes)
        difference = training_ways.check_equal(examples)
        ways = _ways(examples, ours)
        with contextlib.ExitStack() as started:
            for text in _FLAGS.external:
                name, _, command = text.partition("=")
                ways[name] = started.enter_context(external_way.external(command))
            times = _measure(ways)
    compared = _COMPARED | _over_external(ways)
    ratios = {
        f"ratio_{name}{clock}": _ratio(times, *pair, at)
        for at, clock in enumerate(("", "_cpu"))
        for name, pair in compared.items()
        if set(pair) <= times.keys() and not (clock and name == "grouped_to_materialized")
    }
    values = {**ratios, "largest_difference": difference, "rows": _rows(ways, times)}
    result_file.write(_FLAGS.output, "benchmarks.training", values)


def _ways(examples: ExampleSet, ours: TrainingConfig) -> dict[str, Way]:
    """Returns every way by name."""

    def with_settings(layout: str = "flat", **changes: Any) -> Way:
        config = dataclasses.replace(ours, **changes)
        return training_ways.training(examples, layout, _FLAGS.steps, config)

    size = (_FLAGS.steps, ours)
    native = {}
    if library.ops():
        native = {
            "ours, kernels": with_settings(kernels="on"),
            "ours, kernels, grouped": with_settings("grouped", kernels="on"),
            "ours, kernels, adam": with_settings(kernels="on", optimizer="adam"),
        }
    return native | {
        _BASE: training_ways.training(examples, "flat", *size),
        "ours, grouped": training_ways.training(examples, "grouped", *size),
        "ours, read and trained": training_ways.training(examples, "flat", *size, fed=True),
        "ours, adam": with_settings(optimizer="adam"),
        "ours, mixed_precision": with_settings(mixed_precision=True),
        "ours, jit_compile": with_settings(jit_compile=True),
        "materialized": training_ways.materialized(examples, "flat", *size),
        "materialized, grouped": training_ways.materialized(examples, "grouped", *size),
        "reading": training_ways.reading(examples, "flat"),
        "reading, grouped": training_ways.reading(examples, "grouped"),
    }


def _over_external(ways: Mapping[str, Way]) -> dict[str, tuple[str, str]]:
    """Returns the pairs of our ways and other implementations, by the ratio's name."""
    others = [name for name, way in ways.items() if way.layout == external_way.LAYOUT]
    ours = {
        "ours": _BASE,
        "grouped": "ours, grouped",
        "kernels": "ours, kernels",
        "kernels_grouped": "ours, kernels, grouped",
    }
    return {f"{name}_to_{one}": (way, one) for one in others for name, way in ours.items()}


def _measure(ways: Mapping[str, Way]) -> dict[str, list[tuple[float, float]]]:
    """Returns candidates per second of wall and of processor time, by way, for each round."""
    for way in ways.values():
        for _ in range(3):
            way.run()
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(_FLAGS.rounds):
        for name, way in ways.items():
            wall, processor = time.perf_counter(), way.clock()
            count = sum(way.run() for _ in range(way.calls))
            wall, processor = time.perf_counter() - wall, way.clock() - processor
            rates[name].append((count / wall, count / processor))
    return rates


def _ratio(
    rates: Mapping[str, Sequence[tuple[float, float]]], way: str, other: str, clock: int = 0
) -> float:
    """Returns how many times as fast one way is as another: the median over rounds."""
    pairs = zip(rates[way], rates[other], strict=True)
    return statistics.median(one[clock] / two[clock] for one, two in pairs)


def _rows(
    ways: Mapping[str, Way], rates: Mapping[str, Sequence[tuple[float, float]]]
) -> list[dict[str, Any]]:
    rows = []
    for name, way in ways.items():
        wall, processor = zip(*rates[name], strict=True)
        row = {
            "way": name,
            "layout": way.layout,
            "threads": _FLAGS.threads,
            "candidates_per_second": statistics.median(wall),
            "candidates_per_cpu_second": statistics.median(processor),
            "ratio_to_ours": _ratio(rates, name, _BASE),
            "ratio_to_ours_cpu": _ratio(rates, name, _BASE, 1),
        }
        rows.append(row)
        print(
            f"{name:<24} {row['candidates_per_second']:>9,.0f} candidates/s   "
            f"{row['ratio_to_ours']:6.2f} x ours   {row['ratio_to_ours_cpu']:6.2f} x by CPU time",
            flush=True,
        )
    return rows


if __name__ == "__main__":
    main()
