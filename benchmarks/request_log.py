"""Measures what a request log costs a client: latency without one and with one, in alternation.

Usual commands:

    python -m benchmarks.request_log --saved_model serving/dmf --output build/request_log.json
    python -m benchmarks.request_log --saved_model serving/dmf --seconds 5

The baseline is the same client without a log, in the same run: blocks of requests without a log,
with a sample of 1% and with all requests logged take turns, in another order each round. What waits
to be written at the end of a block is written before the next. `pipeline.serve_local` runs as a
process of its own.
"""

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from benchmarks import serving_load
from benchmarks.measuring import result_file
from features.records.requests import RankingRequest
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from serving_signatures import names
from serving_signatures.client.channel import open_channel
from serving_signatures.client.projection_store import LruProjectionStore
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from serving_signatures.request_logs.request_log import RequestLog

_FLAGS = flags.FLAGS
_RATES = (0.0, 0.01, 1.0)
_BLOCK = 50
_ITEMS = 100_000
_RESAMPLES = 500

_Latencies = dict[str, np.ndarray]


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Server"):
        flags.DEFINE_string(
            "saved_model",
            None,
            "`FOLDER` The model, or one version, that pipeline.export wrote.",
            required=True,
        )
    with flag_group("Load"):
        flags.DEFINE_float("seconds", 240, "`SECONDS` Duration of the measurement.", 1)
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def measure(saved_model: str, seconds: float) -> dict[str, Any]:
    """Serves a version's folder, or the model's, and times requests to it.

    Returns:
      `rows` by rate (0 for no log) and signature: `requests`, `p50_ms`, `p99_ms`, and the ratios of
      both to those without a log, with intervals of 95% by a bootstrap over rounds. `logs` by
      rate: `counts`, and how long a request waits for `offer`, `offer_us`.
      `processor` by rate: the client's milliseconds of processor per call, `ms`, and their `ratio`.

    Raises:
      UserInputError: the folder holds no model that `pipeline.export` wrote.
    """
    process, name, address = serving_load.started_server(saved_model)
    try:
        with (
            open_channel(address, timeout_seconds=60) as channel,
            tempfile.TemporaryDirectory() as folder,
        ):
            model = RemoteModel(channel, name)
            requests = serving_load.requests(saved_model, model, worker=0)
            return _measure(model, requests, folder, seconds)
    finally:
        process.terminate()
        process.wait()


class _TimedLog:
    """A log that keeps how long its callers waited for it."""

    def __init__(self, folder: str, rate: float) -> None:
        self.log = RequestLog(os.path.join(folder, str(rate)), rate, seed=0)
        self.seconds: list[float] = []

    def offer(self, request: Any, response: Any, seconds: float) -> None:
        begin = time.perf_counter()
        self.log.offer(request, response, seconds)
        self.seconds.append(time.perf_counter() - begin)

    def counts(self) -> dict[str, int]:
        return self.log.counts()


def _measure(
    model: RemoteModel, requests: list[list[RankingRequest]], folder: str, seconds: float
) -> dict[str, Any]:
    store = LruProjectionStore(_ITEMS)
    logs = {rate: _TimedLog(folder, rate) for rate in _RATES if rate}
    clients = {
        rate: RankingClient(model, store, serving_load.SIZES, log=logs.get(rate)) for rate in _RATES
    }
    for client in clients.values():  # Traces of each size, and the cache.
        _timed(client, requests, 2 * len(requests))
    rounds: list[dict[float, _Latencies]] = []
    processor = dict.fromkeys(_RATES, 0.0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found: dict[float, _Latencies] = {}
        for number in range(len(_RATES)):
            rate = _RATES[(len(rounds) + number) % len(_RATES)]
            begin = time.process_time()
            found[rate] = _timed(clients[rate], requests, _BLOCK)
            if rate in logs:
                logs[rate].log.close(60)
            processor[rate] += time.process_time() - begin
        rounds.append(found)
    rows = [
        _row(rate, signature, rounds)
        for signature in (names.SCORE_REQUEST, names.SCORE_CACHED)
        for rate in _RATES
    ]
    calls = 2 * _BLOCK * len(rounds)
    return {
        "seconds": seconds,
        "rounds": len(rounds),
        "rows": rows,
        "logs": [_described(rate, log) for rate, log in logs.items()],
        "processor": [
            {"rate": rate, "ms": 1000 * spent / calls, "ratio": spent / processor[0.0]}
            for rate, spent in processor.items()
        ],
    }


def _timed(client: RankingClient, requests: list[list[RankingRequest]], count: int) -> _Latencies:
    """Returns the milliseconds of requests by ids and from caches, by signature."""
    found: dict[str, list[float]] = {names.SCORE_REQUEST: [], names.SCORE_CACHED: []}
    for number in range(count):
        for score in (client.score_request, client.score_cached):
            begin = time.perf_counter()
            scored = score(requests[number % len(requests)])
            found[scored.signature].append(1000 * (time.perf_counter() - begin))
    return {signature: np.array(values) for signature, values in found.items()}


def _row(
    rate: float, signature: str, rounds: Sequence[Mapping[float, _Latencies]]
) -> dict[str, Any]:
    own, without = ([one[way][signature] for one in rounds] for way in (rate, 0.0))
    rng = np.random.default_rng(0)
    row: dict[str, Any] = {"rate": rate, "signature": signature}
    row["requests"] = sum(map(len, own))
    for name, percent in (("p50", 50), ("p99", 99)):

        def ratio(chosen: Sequence[int], percent: int = percent) -> float:
            pair = (np.concatenate([part[at] for at in chosen]) for part in (own, without))
            above, below = (np.percentile(one, percent) for one in pair)
            return float(above / below)

        draws = [
            ratio(rng.integers(len(rounds), size=len(rounds)).tolist()) for _ in range(_RESAMPLES)
        ]
        row[f"{name}_ms"] = float(np.percentile(np.concatenate(own), percent))
        row[f"{name}_ratio"] = ratio(range(len(rounds)))
        row[f"{name}_ratio_low"], row[f"{name}_ratio_high"] = (
            float(one) for one in np.percentile(draws, [2.5, 97.5])
        )
    return row


def _described(rate: float, log: _TimedLog) -> dict[str, Any]:
    p50, p99 = (1e6 * float(one) for one in np.percentile(log.seconds, [50, 99]))
    return {
        "rate": rate,
        "counts": log.counts(),
        "offer_us": {"p50": p50, "p99": p99},
    }


def _main(_: Sequence[str]) -> None:
    report = measure(_FLAGS.saved_model, _FLAGS.seconds)
    if _FLAGS.output is None:
        print(json.dumps(report, indent=2))
    result_file.write(_FLAGS.output, "benchmarks.request_log", report)


if __name__ == "__main__":
    main()
