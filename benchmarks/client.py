"""Measures the ranking client over one, two and three servers, in about ten minutes.

Usual commands:

    python -m benchmarks.client --saved_model serving/dmf --output build/client.json
    python -m benchmarks.client --saved_model serving/dmf --seconds 5 --rounds 1

Measures two and three servers against one, a client with hedging against one without while a
server pauses for a moment again and again, and one whose metrics are read ten times per second
against one whose are not: in turn, several rounds. Then one of three servers is killed under
load. Servers are `pipeline.serve_local`, each a process of its own.
"""

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import grpc
import numpy as np
from absl import flags

from benchmarks import serving_load
from benchmarks.measuring import result_file
from benchmarks.measuring.counted_server import CountedServer, free_port
from features.records.requests import RankingRequest
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from serving_signatures.client.channel import open_channel
from serving_signatures.client.counts import Durations, Timed
from serving_signatures.client.hedging import Hedging
from serving_signatures.client.metrics import ClientCollector
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel

_FLAGS = flags.FLAGS
_SERVERS = 3
_PAUSE_SECONDS = 0.3
_BETWEEN_PAUSES_SECONDS = 1.2
_TIMEOUT_SECONDS = 30.0
_RECORDINGS = 100_000
_PER_REQUEST = 2
"""Durations of a request by ids: its own, and that of its call."""

Figures = dict[str, Any]


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Server"):
        flags.DEFINE_string(
            "saved_model",
            None,
            "`FOLDER` The model that pipeline.export wrote, whose versions are numbered.",
            required=True,
        )
    with flag_group("Load"):
        flags.DEFINE_float("seconds", 20, "`SECONDS` Duration of each measurement.", 1)
        flags.DEFINE_integer("rounds", 3, "`COUNT` Measurements of each kind.", 1)
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


class Bench:
    """Servers of a model, and the load on them.

    Args:
      folder: the model's.
      seconds: of a measurement.
      concurrency: clients.
    """

    def __init__(self, folder: str, seconds: float, concurrency: int) -> None:
        self._seconds = seconds
        self._concurrency = concurrency
        port = free_port()
        addresses = [f"127.0.0.{number + 1}:{port}" for number in range(_SERVERS)]
        with futures.ThreadPoolExecutor(_SERVERS) as threads:
            self.servers = list(threads.map(lambda one: CountedServer(folder, one), addresses))
        with self._channel(1) as channel:
            self._name = folder.rstrip("/").rpartition("/")[2]
            model = RemoteModel(channel, self._name)
            self._requests = serving_load.requests(folder, model, 0)

    def close(self) -> None:
        """Ends the servers."""
        for server in self.servers:
            server.process.kill()
            server.process.wait()

    def load(
        self,
        count: int,
        hedging: Hedging | None = None,
        during: Callable[[RankingClient], AbstractContextManager[object]] = nullcontext,
    ) -> Figures:
        """Sends requests by ids to the first `count` servers for a while.

        Args:
          count: how many servers.
          hedging: of the calls.
          during: is entered with the client.

        Returns:
          `requests`, `failed` by status code, `p50_ms`, `p99_ms`, `qps`, `calls` by server.
        """
        with self._channel(count) as channel:
            client = RankingClient(
                RemoteModel(channel, self._name, hedging=hedging), sizes=serving_load.SIZES
            )
            for one in self._requests * 2:
                client.score_request(one)
            before = [server.calls() for server in self._running(count)]
            with during(client), futures.ThreadPoolExecutor(self._concurrency) as threads:
                end = time.monotonic() + self._seconds
                numbers = range(self._concurrency)
                done = list(threads.map(partial(_until, end, client, self._requests), numbers))
            after = [server.calls() for server in self._running(count)]
        milliseconds = 1000 * np.concatenate([np.array(seconds) for seconds, _ in done])
        failed = [code for _, codes in done for code in codes]
        p50, p99 = np.percentile(milliseconds, [50, 99])
        figures: Figures = {
            "requests": len(milliseconds) + len(failed),
            "failed": {code: failed.count(code) for code in sorted(set(failed))},
            "p50_ms": float(p50),
            "p99_ms": float(p99),
            "qps": len(milliseconds) / self._seconds,
        }
        if len(after) == len(before):
            figures["calls"] = [int(a - b) for a, b in zip(after, before, strict=True)]
        if hedging is not None:
            figures["hedges"] = hedging.counts()
        return figures

    @contextlib.contextmanager
    def pauses(self, _: RankingClient) -> Iterator[None]:
        """Stops the first server for a moment, again and again."""
        process = self.servers[0].process

        def pause() -> None:
            process.send_signal(signal.SIGSTOP)
            time.sleep(_PAUSE_SECONDS)
            process.send_signal(signal.SIGCONT)

        with _repeated(pause, _BETWEEN_PAUSES_SECONDS):
            yield

    @contextlib.contextmanager
    def kill(self, _: RankingClient) -> Iterator[None]:
        """Kills the first server after a third of the time."""
        timer = threading.Timer(self._seconds / 3, self.servers[0].process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.join()

    @contextlib.contextmanager
    def _channel(self, count: int) -> Iterator[grpc.Channel]:
        addresses = [server.address for server in self.servers[:count]]
        with open_channel(addresses, timeout_seconds=_TIMEOUT_SECONDS) as channel:
            grpc.channel_ready_future(channel).result(_TIMEOUT_SECONDS)
            yield channel

    def _running(self, count: int) -> list[CountedServer]:
        return [one for one in self.servers[:count] if one.process.poll() is None]


def measure(folder: str, seconds: float, rounds: int, concurrency: int) -> Figures:
    """Measures everything.

    Returns:
      `servers` by count, `spread` of calls over three servers (largest distance from the mean),
      `hedging` and `metrics` (`off`, `on` and the ratio of each round's), and `kill`. Each list
      has one entry per round.
    """
    bench = Bench(folder, seconds, concurrency)
    servers: dict[str, list[Figures]] = {str(count + 1): [] for count in range(_SERVERS)}
    pairs: dict[str, dict[str, list[Figures]]] = {
        name: {"off": [], "on": []} for name in ("hedging", "metrics")
    }
    try:
        for _ in range(rounds):
            for count in servers:
                servers[count].append(bench.load(int(count)))
            late = servers[str(_SERVERS)][-1]["p50_ms"] / 1000 * 3
            hedging, metrics = pairs["hedging"], pairs["metrics"]
            hedging["off"].append(bench.load(_SERVERS, during=bench.pauses))
            hedging["on"].append(bench.load(_SERVERS, Hedging(late), bench.pauses))
            metrics["off"].append(bench.load(1))
            metrics["on"].append(bench.load(1, during=_read_often))
        killed = bench.load(_SERVERS, during=bench.kill)
    finally:
        bench.close()
    calls = np.sum([one["calls"] for one in servers[str(_SERVERS)]], axis=0)
    recording = _seconds_of_recording()
    return {
        "seconds": seconds,
        "concurrency": concurrency,
        "servers": servers,
        "spread": float(np.abs(calls / calls.mean() - 1).max()),
        "kill": killed,
        "hedging": {**pairs["hedging"], "p99_ratio": _ratio(pairs["hedging"], "p99_ms")},
        "metrics": {
            **pairs["metrics"],
            "p50_ratio": _ratio(pairs["metrics"], "p50_ms"),
            "p99_ratio": _ratio(pairs["metrics"], "p99_ms"),
            "recording_us_per_request": recording * 1e6,
            "recording_share_of_p50": recording
            * 1000
            / float(np.median([one["p50_ms"] for one in pairs["metrics"]["off"]])),
        },
    }


def _until(
    end: float, client: RankingClient, requests: list[list[RankingRequest]], number: int
) -> tuple[list[float], list[str]]:
    """Sends requests until a time; returns the seconds of each, and the codes of failures."""
    seconds, failed, turn = [], [], number
    while (begin := time.monotonic()) < end:
        try:
            client.score_request(requests[turn % len(requests)])
            seconds.append(time.monotonic() - begin)
        except grpc.RpcError as error:
            failed.append(error.code().name)
        turn += 1
    return seconds, failed


@contextlib.contextmanager
def _read_often(client: RankingClient) -> Iterator[None]:
    """Writes all metrics ten times per second, as for Prometheus."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=True)
    registry.register(ClientCollector({"client": client}))
    with _repeated(partial(generate_latest, registry), 0.1):
        yield


@contextlib.contextmanager
def _repeated(action: Callable[[], object], seconds: float) -> Iterator[None]:
    """Does something beside the block, each time after so many seconds."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            action()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _seconds_of_recording() -> float:
    """Returns how long the durations of one request take to record."""
    durations = Durations()
    begin = time.perf_counter()
    for _ in range(_RECORDINGS):
        with Timed(durations, "score_request"):
            pass
    return (time.perf_counter() - begin) / _RECORDINGS * _PER_REQUEST


def _ratio(pair: dict[str, list[Figures]], figure: str) -> float:
    """Returns the median of the rounds' ratios, on to off."""
    ratios = [on[figure] / off[figure] for on, off in zip(pair["on"], pair["off"], strict=True)]
    return float(np.median(ratios))


def _main(_: Sequence[str]) -> None:
    report = measure(_FLAGS.saved_model, _FLAGS.seconds, _FLAGS.rounds, _FLAGS.concurrency)
    if _FLAGS.output is None:
        print(json.dumps(report, indent=2))
    result_file.write(_FLAGS.output, "benchmarks.client", report)


if __name__ == "__main__":
    main()
