"""Metrics of clients for Prometheus; `pip install 'dmf-ctr[metrics]'`."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from features.errors import UserInputError
from serving_signatures import names
from serving_signatures.client.counts import BUCKETS, Histogram
from serving_signatures.client.ranking_client import RankingClient

_PREFIX = "ranking_client"
_OF_CACHES = {
    "cache_items": ("Items by where they came from.", ("hits", "misses", "damaged")),
    "refused_tags": ("Tags of the client that the model refused.", ("refusals",)),
}
"""Counters by cache, and which counts of `<cache>.<count>` they have."""
_OTHERS = {
    "fallbacks": ("Requests of score_cached that were scored by ids.", ("fallbacks",)),
    "hedges": (
        "Late calls by what became of a second one.",
        ("hedges.sent", "hedges.won", "hedges.over_share"),
    ),
    "logged_calls": (
        "Calls that a request log took, by what became of them.",
        ("log.written", "log.dropped", "log.failed"),
    ),
}


class ClientCollector:
    """Exports what clients count, which is read when Prometheus asks for it.

        REGISTRY.register(ClientCollector({"stable": client}))

    A request pays nothing for it. What never happened is exported as 0.

    Args:
      clients: by the name that the label `client` has.

    Raises:
      UserInputError: the library is not installed.
    """

    def __init__(self, clients: Mapping[str, RankingClient]) -> None:
        try:
            from prometheus_client import core
        except ImportError as error:
            raise UserInputError(
                "Metrics need the library `prometheus_client`, which is not installed: "
                "pip install 'dmf-ctr[metrics]'. RankingClient.counts needs nothing."
            ) from error
        self._core = core
        self._clients = dict(clients)

    def collect(self) -> Iterator[Any]:
        """Yields the metrics, as a collector of `prometheus_client`."""
        clients = self._clients.items()
        yield self._histogram(
            "request",
            "Requests by the method that was called and outcome.",
            {name: client.durations() for name, client in clients},
        )
        yield self._histogram(
            "call",
            "Calls of the model by signature and outcome.",
            {name: client.call_durations() for name, client in clients},
        )
        counts = {name: client.counts() for name, client in clients}
        for metric, (text, kinds) in _OF_CACHES.items():
            family = self._counter(metric, text, ["client", "cache", "result"])
            for name, cache, kind in itertools.product(counts, names.CACHES, kinds):
                count = counts[name].get(f"{cache}.{kind}", 0)
                family.add_metric([name, cache, kind], count)
            yield family
        for metric, (text, kinds) in _OTHERS.items():
            family = self._counter(metric, text, ["client", "result"])
            for name, kind in itertools.product(counts, kinds):
                family.add_metric([name, kind.rpartition(".")[2]], counts[name].get(kind, 0))
            yield family

    def _counter(self, name: str, text: str, labels: list[str]) -> Any:
        return self._core.CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)

    def _histogram(
        self, name: str, text: str, durations: Mapping[str, Mapping[tuple[str, str], Histogram]]
    ) -> Any:
        family = self._core.HistogramMetricFamily(
            f"{_PREFIX}_{name}_seconds", text, labels=["client", "signature", "outcome"]
        )
        ends = [*map(str, BUCKETS), "+Inf"]
        for client, found in durations.items():
            for (signature, outcome), one in found.items():
                buckets = list(zip(ends, itertools.accumulate(one.counts), strict=True))
                family.add_metric([client, signature, outcome], buckets, one.seconds)
        return family
