"""Figures of the caches, of the client and of what it logs."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any

from docs_build import results
from docs_build.figure import Figure, of_field, of_row

BACKFILL = {
    f"backfill.{run.replace(' ', '_')}.{field}": of_row("backfill.json", field, form, run=run)
    for run in ("all", "new items", "again")
    for field, form in (("cpu_seconds", ".0f"), ("peak_mib", ",.0f"), ("computed", ",.0f"))
} | {
    "backfill.new_to_all": of_field("backfill.json", "cpu_new_to_all", ".2f"),
}

LOADING = {
    f"loading.{way}.{field}": of_row("load_projections.json", field, form, way=way)
    for way in ("load_projections", "put")
    for field, form in (
        ("seconds", ".0f"),
        ("rows_per_second", ",.0f"),
        ("cpu_seconds", ".1f"),
        ("server_cpu_seconds", ".1f"),
    )
} | {
    "loading.put_to_load_cpu": of_field("load_projections.json", "put_to_load_cpu", ".1f"),
    "loading.rows": of_row("load_projections.json", "rows", ",.0f", way="put"),
}


def _memory(name: str) -> Figure:
    return Figure("serving_load.json", lambda held: held["rss_mib"][name], ",.0f")


SERVING_LOAD = {
    "serving_load.requests": of_field("serving_load.json", "requests", ",.0f"),
    "serving_load.refused": of_field("serving_load.json", "refused", ",.0f"),
    "serving_load.seconds": of_field("serving_load.json", "seconds", ".0f"),
    "serving_load.growth_mib": of_field("serving_load.json", "growth_mib", "+.1f"),
    **{f"serving_load.{name}_mib": _memory(name) for name in ("start", "after_warmup", "end")},
}


def _change(percentile: str, of: str, **values: Any) -> Figure:
    """What a log adds to a percentile, percent: itself, or an end of its interval."""
    field = f"{percentile}_ratio{of}"
    file = "request_log.json"
    return Figure(
        file, lambda held: 100 * (results.pick(held["rows"], **values)[field] - 1), "+.1f"
    )


def _offered(rate: float, percentile: str) -> Figure:
    file = "request_log.json"
    return Figure(
        file, lambda held: results.pick(held["logs"], rate=rate)["offer_us"][percentile], ".0f"
    )


def _processor(rate: float) -> Figure:
    """Returns how much more processor time a client with a log takes, percent."""
    file = "request_log.json"
    return Figure(
        file, lambda held: 100 * (results.pick(held["processor"], rate=rate)["ratio"] - 1), "+.1f"
    )


# By signature, percent of the calls, percentile, and end of the interval.
REQUEST_LOG = {
    "request_log.rounds": of_field("request_log.json", "rounds", ".0f"),
    "request_log.processor.1": _processor(0.01),
    "request_log.processor.100": _processor(1.0),
    **{
        f"request_log.{signature}.{rate * 100:.0f}.{percentile}{of}": _change(
            percentile, of, rate=rate, signature=signature
        )
        for signature in ("score_request", "score_cached")
        for rate in (0.01, 1.0)
        for percentile in ("p50", "p99")
        for of in ("", "_low", "_high")
    },
    **{
        f"request_log.{signature}.{percentile}_ms": of_row(
            "request_log.json", f"{percentile}_ms", ".1f", rate=0.0, signature=signature
        )
        for signature in ("score_request", "score_cached")
        for percentile in ("p50", "p99")
    },
    **{
        f"request_log.offer.{rate * 100:.0f}.{percentile}": _offered(rate, percentile)
        for rate in (0.01, 1.0)
        for percentile in ("p50", "p99")
    },
}


def _client(value: Callable[[Mapping[str, Any]], float], form: str) -> Figure:
    return Figure("client.json", value, form)


def _median(of: tuple[str, str], field: str, form: str) -> Figure:
    """Returns a figure's median over the rounds of a kind of measurement."""

    def value(held: Mapping[str, Any]) -> float:
        return statistics.median(one[field] for one in held[of[0]][of[1]])

    return Figure("client.json", value, form)


CLIENT = {
    **{
        f"client.servers.{count}.{field}": _median(("servers", count), field, ".1f")
        for count in ("1", "2", "3")
        for field in ("p50_ms", "p99_ms", "qps")
    },
    "client.spread": _client(lambda held: 100 * held["spread"], ".1f"),
    "client.kill.requests": _client(lambda held: held["kill"]["requests"], ",.0f"),
    "client.kill.failed": _client(lambda held: sum(held["kill"]["failed"].values()), ".0f"),
    "client.kill.p99_ms": _client(lambda held: held["kill"]["p99_ms"], ".0f"),
    **{
        f"client.hedging.{way}.p99_ms": _median(("hedging", way), "p99_ms", ".0f")
        for way in ("off", "on")
    },
    "client.hedging.p99_ratio": _client(lambda held: held["hedging"]["p99_ratio"], ".2f"),
    "client.metrics.p50_ratio": _client(lambda held: held["metrics"]["p50_ratio"], ".2f"),
    "client.metrics.p99_ratio": _client(lambda held: held["metrics"]["p99_ratio"], ".2f"),
    "client.metrics.recording_us": _client(
        lambda held: held["metrics"]["recording_us_per_request"], ".0f"
    ),
}
