"""Times exported models against early fusion and ID-only; 15 minutes.

Usual commands:

    python -m benchmarks.serving --output build/serving.json
    python -m benchmarks.serving --candidates 400 --history_lengths 50 --concurrency 1 --rounds 3

One request of C candidates and L behaviors, two modalities of 128, ids in, the embedding sets
inside the model, 100,000 items. `id_only_default` and `dmf_default` have the default settings. The
others have the same wider head and attend to the whole history; `dmf_materialized` is `dmf` with
keys and values of shape `[C, L, d]`, `early_fusion` projects `[id ; similarity]` of every pair.
`dmf_kernels` and `dmf_default_kernels` are exported with native kernels, where `make kernels` built
them.
Each is loaded from its SavedModel. Models take turns, round by round; a ratio is the median over
rounds of the ratio within a round.
"""

import gc
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

from benchmarks.measuring import result_file
from benchmarks.model_alternatives import serving_models
from features.embeddings.embedding_set import EmbeddingSet
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from serving_signatures import names
from serving_signatures.export import parity_process, sample_requests
from serving_signatures.versions.loaded_version import inputs_of

Call = Callable[[], None]
Key = tuple[str, str]

_FLAGS = flags.FLAGS
_EARLY: Key = ("early_fusion", names.SCORE_REQUEST)
_WARM_UP = 3
_TARGET = 1200
"""Candidates at which the paper states its ratio."""


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_list("candidates", ["100", "400", "1200"], "`C,...` Candidates of a request.")
        flags.DEFINE_list(
            "history_lengths", ["50", "200", "1000"], "`L,...` Behaviors of a request."
        )
        flags.DEFINE_integer("items", 100_000, "`N` Items, rows of the tables.")
    with flag_group("Measurement"):
        flags.DEFINE_list("models", [], "`MODEL,...` Models to time. Default: all.")
        flags.DEFINE_list(
            "threads", [], "`WITHIN,AT_ONCE` Threads within an op, ops at the same time."
        )
        flags.DEFINE_list("concurrency", ["1", "4"], "`COUNT,...` Requests at the same time.")
        flags.DEFINE_integer("rounds", 7, "`COUNT` Turns of each model.")
        flags.DEFINE_float(
            "seconds", 0.3, "`SECONDS` Time of a turn; it ends with the call that exceeds it."
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    if _FLAGS.threads:
        within, at_once = map(int, _FLAGS.threads)
        tf.config.threading.set_intra_op_parallelism_threads(within)
        tf.config.threading.set_inter_op_parallelism_threads(at_once)
    embeddings = serving_models.content(_FLAGS.items)
    with tempfile.TemporaryDirectory() as folder:
        exported = serving_models.export_all(folder, embeddings, _FLAGS.models)
        signatures = {
            model: tf.saved_model.load(path).signatures for model, path in exported.items()
        }
    rows = []
    sizes = (_FLAGS.candidates, _FLAGS.history_lengths, _FLAGS.concurrency)
    for count, length, at_once in itertools.product(*(map(int, values) for values in sizes)):
        rows += _measure(_calls(signatures, embeddings, count, length), count, length, at_once)
    result = {
        "ratios": _ratios(rows, "dmf"),
        "default_ratios": _ratios(rows, "dmf_default"),
        "kernel_ratios": _ratios(rows, "dmf_kernels"),
        "default_kernel_ratios": _ratios(rows, "dmf_default_kernels"),
        "rows": rows,
    }
    shown = [ratio for name, ratios in result.items() if name != "rows" for ratio in ratios]
    print(json.dumps(shown, indent=2))
    result_file.write(_FLAGS.output, "benchmarks.serving", result)


def _calls(
    signatures: dict[str, Any], embeddings: dict[str, EmbeddingSet], count: int, length: int
) -> dict[Key, Call]:
    """Returns a call that waits for its scores, by model and signature."""
    items = next(iter(embeddings.values())).item_ids
    sample = sample_requests.sample_requests(
        serving_models.SCHEMA, items, embeddings, (1, count, length), seed=length
    )
    calls = {}
    for model, functions in signatures.items():
        inputs = inputs_of(functions[names.SCORE_REQUEST], sample)
        calls[model, names.SCORE_REQUEST] = _call(functions[names.SCORE_REQUEST], inputs)
        if names.SCORE_CACHED in functions:
            cached = parity_process.cached_inputs(functions, inputs)
            calls[model, names.SCORE_CACHED] = _call(functions[names.SCORE_CACHED], cached)
    return calls


def _call(function: Callable[..., Any], inputs: dict[str, np.ndarray]) -> Call:
    tensors = {name: tf.constant(value) for name, value in inputs.items()}

    def call() -> None:
        function(**tensors)["click"].numpy()

    return call


def _measure(calls: dict[Key, Call], count: int, length: int, at_once: int) -> list[dict[str, Any]]:
    """Times calls in turn and returns one row per call."""
    for call in calls.values():
        for _ in range(_WARM_UP):
            call()
    gc.collect()
    gc.disable()  # A server has no Python, whose collector of garbage would be part of each call.
    latencies: dict[Key, list[float]] = {key: [] for key in calls}
    rates: dict[Key, list[float]] = {key: [] for key in calls}
    processor: dict[Key, list[float]] = {key: [] for key in calls}
    with futures.ThreadPoolExecutor(at_once) as threads:
        for _ in range(_FLAGS.rounds):
            for key, call in calls.items():
                seconds, rate, spent = _turn(threads, call, at_once)
                latencies[key] += seconds
                rates[key].append(rate)
                processor[key].append(1 / spent)
    gc.enable()
    rows = []
    for key, seconds in latencies.items():
        model, signature = key
        id_only = ("id_only_default" if "_default" in model else "id_only", _EARLY[1])
        row = {
            "model": model,
            "signature": signature,
            "candidates": count,
            "history_length": length,
            "concurrency": at_once,
            "calls": len(seconds),
            "p50_ms": 1e3 * float(np.percentile(seconds, 50)),
            "p99_ms": 1e3 * float(np.percentile(seconds, 99)),
            "qps": statistics.median(rates[key]),
            "processor_ms": 1e3 * statistics.median(1 / rate for rate in processor[key]),
            "rate_to_id_only": _ratio(rates, key, id_only),
            "processor_rate_to_id_only": _ratio(processor, key, id_only),
            "rate_to_early_fusion": _ratio(rates, key, _EARLY),
        }
        rows.append(row)
        print(
            f"C={count:<5} L={length:<5} at once {at_once}  {model:<17} {signature:<14} "
            f"p50 {row['p50_ms']:8.2f} ms  p99 {row['p99_ms']:8.2f} ms  "
            f"processor {row['processor_ms']:8.2f} ms  {row['qps']:8.1f}/s",
            flush=True,
        )
    return rows


def _turn(threads: futures.Executor, call: Call, at_once: int) -> tuple[list[float], float, float]:
    """Calls for a while from several threads.

    Returns:
      Seconds of each call, calls per second, and processor seconds per call.
    """
    started, spent = time.perf_counter(), time.process_time()
    end = started + _FLAGS.seconds

    def one_client() -> list[float]:
        seconds: list[float] = []
        while not seconds or time.perf_counter() < end:
            before = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - before)
        return seconds

    clients = [threads.submit(one_client) for _ in range(at_once)]
    seconds = [second for client in clients for second in client.result()]
    elapsed, spent = time.perf_counter() - started, time.process_time() - spent
    return seconds, len(seconds) / elapsed, spent / len(seconds)


def _ratio(rates: dict[Key, list[float]], one: Key, other: Key) -> float | None:
    """Returns the ratio of two rates of calls: the median over rounds."""
    if other not in rates:
        return None
    return statistics.median(a / b for a, b in zip(rates[one], rates[other], strict=True))


def _ratios(rows: Sequence[dict[str, Any]], model: str) -> list[dict[str, Any]]:
    """Returns DMF against early fusion and ID-only at 1,200 candidates, as README claims."""
    return [
        {
            "history_length": row["history_length"],
            "concurrency": row["concurrency"],
            "signature": row["signature"],
            "qps_over_early_fusion": row["rate_to_early_fusion"],
            "latency_over_id_only": row["rate_to_id_only"] and 1 / row["rate_to_id_only"],
            "processor_over_id_only": row["processor_rate_to_id_only"]
            and 1 / row["processor_rate_to_id_only"],
        }
        for row in rows
        if row["model"] == model and row["candidates"] == _TARGET
    ]


if __name__ == "__main__":
    main()
