"""Measures memory and latency of a server under load; ten minutes, or --seconds.

Usual commands:

    python -m benchmarks.serving_load --saved_model serving/dmf --output build/serving_load.json
    python -m benchmarks.serving_load --saved_model serving/dmf --seconds 60 --concurrency 4

Measures the server against itself after warm-up: `growth_mib` is the resident memory it gained
since. `pipeline.serve_local` runs as a process of its own. Clients send requests of several sizes,
by ids and from caches that are too small to hold all items, and every tenth time one that is
refused. `after_warmup` is when every client has sent each of its requests once, but not before a
tenth and not after half of the time.
"""

import collections
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import psutil
from absl import flags

from benchmarks.measuring import result_file
from features.errors import UserInputError
from features.records.requests import PaddedSizes, RankingRequest, unpad
from features.schema import ExampleSchema
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from serving_signatures import names
from serving_signatures.client.channel import open_channel
from serving_signatures.client.projection_store import LruProjectionStore
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from serving_signatures.export.sample_requests import sample_requests
from serving_signatures.versions import exported_version

_FLAGS = flags.FLAGS
SIZES = PaddedSizes(candidates=(1, 20, 100, 400), behaviors=(1, 20, 50, 200))
"""What the requests are padded to."""

_SHAPES = ((1, 100, 50), (1, 400, 50), (2, 100, 200), (4, 20, 20), (1, 1, 0))
_ITEMS = 2000
_SAMPLES = 20
_CACHED_ITEMS = 1000
_REFUSED_EVERY = 10
_MEMORY_SAMPLES = 60


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
        flags.DEFINE_float("seconds", 600, "`SECONDS` Duration of the load.", 1)
        flags.DEFINE_integer(
            "concurrency", 2, "`COUNT` Clients, each with one request at a time.", 1
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def measure(saved_model: str, seconds: float, concurrency: int) -> dict[str, Any]:
    """Serves a version's folder, or the model's, and sends requests to it.

    Returns:
      `requests`, `refused`, `qps`, `latency_ms` (`p50`, `p99`) by signature, `rss_mib` (`start`,
      `after_warmup`, `end`, and all `samples`), `growth_mib` from warm-up to end, and `counts` of
      the clients' caches.

    Raises:
      UserInputError: the folder holds no model that `pipeline.export` wrote.
      RuntimeError: the server ended.
    """
    process, name, address = started_server(saved_model)
    try:
        with open_channel(address, timeout_seconds=60) as channel:
            remote = RemoteModel(channel, name)
            workers = [
                _Worker(remote, requests(saved_model, remote, number))
                for number in range(concurrency)
            ]
            rss = _load(process, workers, seconds)
        process.send_signal(signal.SIGTERM)
        if process.wait(60):
            raise RuntimeError(f"The server ended with code {process.returncode}.")
    finally:
        process.kill()
    return _report(workers, rss, seconds)


class _Worker(threading.Thread):
    """One client: sends its requests in turn until it is stopped."""

    def __init__(self, remote: RemoteModel, requests: list[list[RankingRequest]]) -> None:
        super().__init__()
        self.client = RankingClient(remote, LruProjectionStore(_CACHED_ITEMS), SIZES)
        self.latencies: dict[str, list[float]] = {names.SCORE_REQUEST: [], names.SCORE_CACHED: []}
        self.refused = 0
        self.stopped = threading.Event()
        self.warm = threading.Event()
        self._requests = requests
        # No model has a negative behavior type; the first request has behaviors.
        first = requests[0][0]
        self._bad = dataclasses.replace(first, history_type=-first.history_type - 1)

    def run(self) -> None:
        turn = 0
        while not self.stopped.is_set():
            requests = self._requests[turn % len(self._requests)]
            if turn % _REFUSED_EVERY == 0:
                try:
                    self.client.score_request([self._bad])
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.INVALID_ARGUMENT:
                        raise
                    self.refused += 1
            for score in (self.client.score_request, self.client.score_cached):
                begin = time.perf_counter()
                scored = score(requests)
                self.latencies[scored.signature].append(time.perf_counter() - begin)
            turn += 1
            if turn == len(self._requests):
                self.warm.set()


def requests(saved_model: str, remote: RemoteModel, worker: int) -> list[list[RankingRequest]]:
    """Returns what a worker sends in turn, of several sizes.

    Args:
      saved_model: the model's folder, or a version's.
      remote: the same model, served.
      worker: its number; each has other requests.
    """
    # The schema that the export wrote beside the newest version.
    versions = [name for name in os.listdir(saved_model) if name.isdigit()]
    newest = os.path.join(saved_model, max(versions, key=int)) if versions else saved_model
    schema = ExampleSchema.from_dict(exported_version.read_values(newest)["schema"])
    inputs = remote.signatures()[names.SCORE_REQUEST]
    found = []
    for number in range(_SAMPLES):
        seed = worker * _SAMPLES + number
        shape = _SHAPES[number % len(_SHAPES)]
        batch = sample_requests(schema, np.arange(_ITEMS), {}, shape, seed)
        found.append(unpad({name: batch[name] for name in inputs}))
    return found


def _load(process: subprocess.Popen, workers: list[_Worker], seconds: float) -> dict[str, Any]:
    """Runs the clients and samples the server's memory, MiB."""
    server = psutil.Process(process.pid)
    memory = [server.memory_info().rss / 2**20]
    begin = time.monotonic()
    for worker in workers:
        worker.start()
    warm: float | None = None
    try:
        while (elapsed := time.monotonic() - begin) < seconds:
            time.sleep(min(seconds / _MEMORY_SAMPLES, seconds - elapsed))
            if process.poll() is not None or not all(worker.is_alive() for worker in workers):
                raise RuntimeError("The server or a client ended before the load did.")
            memory.append(server.memory_info().rss / 2**20)
            share = (time.monotonic() - begin) / seconds
            sent = all(worker.warm.is_set() for worker in workers)
            if warm is None and (share > 0.5 or (share > 0.1 and sent)):
                warm = memory[-1]
    finally:
        for worker in workers:
            worker.stopped.set()
        for worker in workers:
            worker.join()
    warm = memory[-1] if warm is None else warm
    samples = [round(one, 1) for one in memory]
    return {"start": memory[0], "after_warmup": warm, "end": memory[-1], "samples": samples}


def _report(workers: list[_Worker], rss: dict[str, Any], seconds: float) -> dict[str, Any]:
    latencies = {
        signature: np.concatenate([worker.latencies[signature] for worker in workers]) * 1000
        for signature in workers[0].latencies
    }
    scored = sum(len(values) for values in latencies.values())
    counts: collections.Counter[str] = collections.Counter()
    for worker in workers:
        counts.update(worker.client.counts())
    return {
        "seconds": seconds,
        "requests": scored,
        "refused": sum(worker.refused for worker in workers),
        "qps": scored / seconds,
        "latency_ms": {
            signature: dict(zip(("p50", "p99"), np.percentile(values, [50, 99]), strict=True))
            for signature, values in latencies.items()
            if len(values)
        },
        "rss_mib": rss,
        "growth_mib": rss["end"] - rss["after_warmup"],
        "counts": dict(sorted(counts.items())),
    }


def started_server(saved_model: str) -> tuple[subprocess.Popen, str, str]:
    """Starts the server and returns the process, the model's name and the address.

    Raises:
      UserInputError: the folder holds no model that `pipeline.export` wrote.
    """
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115  The server writes it to its end.
    command = [sys.executable, "-m", "pipeline.serve_local", "--port=0"]
    process = subprocess.Popen([*command, f"--saved_model={saved_model}"], stderr=log, text=True)
    while True:
        ended = process.poll() is not None
        log.seek(0)
        text = log.read()
        if found := re.search(r"^Model (\S+) on (\S+);", text, re.MULTILINE):
            return process, found[1], found[2]
        if ended:
            raise UserInputError(text.removeprefix("Error: ").strip())
        time.sleep(0.1)


def _main(_: Sequence[str]) -> None:
    report = measure(_FLAGS.saved_model, _FLAGS.seconds, _FLAGS.concurrency)
    if _FLAGS.output is None:
        print(json.dumps(report, indent=2))
    result_file.write(_FLAGS.output, "benchmarks.serving_load", report)


if __name__ == "__main__":
    main()
