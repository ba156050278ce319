"""What Prometheus reads is what the client counted."""

import sys
import urllib.request

import grpc
import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from features.errors import UserInputError
from serving_signatures.client.counts import BUCKETS
from serving_signatures.client.hedging import Hedging
from serving_signatures.client.metrics import ClientCollector
from serving_signatures.names import CACHES
from tests.serving_signatures.client.served_small_model import REQUESTS, client_of, served


def scraped(clients):
    """Samples that an HTTP server of the library sends: a function of name and labels."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(ClientCollector(clients))
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return lambda name, *labels: samples.get((name, *sorted(labels)))


def test_each_count_and_duration_is_exported_by_signature_outcome_and_cache():
    with served() as servers, client_of(servers, Hedging(0.2, share=1)) as client:
        for _ in range(2):
            client.score_cached(REQUESTS)
        servers[0].codes = [grpc.StatusCode.FAILED_PRECONDITION]
        client.score_cached(REQUESTS)
        servers[0].seconds = 0.5
        client.score_request(REQUESTS)
        with pytest.raises(grpc.RpcError):
            client.score_request(REQUESTS, timeout_seconds=0.1)
        with pytest.raises(ValueError, match="at most 8"):
            client.score_request(REQUESTS * 9)
        samples, counts = scraped({"stable": client}), client.counts()
    for cache in CACHES:
        for kind, expected in (("hits", 10), ("misses", 5), ("damaged", 0)):
            value = samples("ranking_client_cache_items_total", "stable", cache, kind)
            assert value == counts.get(f"{cache}.{kind}", 0) == expected
        assert samples("ranking_client_refused_tags_total", "stable", cache, "refusals") == 0
    assert samples("ranking_client_fallbacks_total", "stable", "fallbacks") == 1
    assert samples("ranking_client_hedges_total", "stable", "sent") == counts["hedges.sent"] == 1
    assert samples("ranking_client_logged_calls_total", "stable", "dropped") == 0

    def count(kind, signature, outcome):
        return samples(f"ranking_client_{kind}_seconds_count", "stable", signature, outcome)

    assert count("request", "score_cached", "OK") == 3
    assert count("request", "score_request", "OK") == 1
    assert count("request", "score_request", "DEADLINE_EXCEEDED") == 1
    assert count("request", "score_request", "ValueError") == 1
    assert count("call", "id_projections", "OK") == 1
    assert count("call", "score_cached", "OK") == 2
    assert count("call", "score_cached", "FAILED_PRECONDITION") == 1
    assert count("call", "score_request", "OK") == 2
    assert count("call", "score_request", "DEADLINE_EXCEEDED") == 1
    seconds = samples("ranking_client_call_seconds_sum", "stable", "score_request", "OK")
    assert 0.5 <= seconds < 2
    key = "ranking_client_request_seconds_bucket", "stable", "score_request", "OK"
    ends = {end: samples(*key, str(end)) for end in BUCKETS}
    assert ends[0.25] == 0 and ends[5.0] == samples(*key, "+Inf") == 1


def test_clients_of_a_process_are_told_apart():
    with served() as servers, client_of(servers) as one, client_of(servers) as other:
        one.score_request(REQUESTS)
        samples = scraped({"stable": one, "canary": other})
    assert samples("ranking_client_fallbacks_total", "canary", "fallbacks") == 0
    name = "ranking_client_request_seconds_count"
    assert samples(name, "stable", "score_request", "OK") == 1
    assert samples(name, "canary", "score_request", "OK") is None


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(UserInputError, match=r"pip install 'dmf-ctr\[metrics\]'"):
        ClientCollector({})
