"""A short load: the server answers, its memory stays, and a client's log is measured."""

import os
import shutil

import numpy as np
import pytest

from benchmarks import request_log, serving_load
from features.errors import UserInputError
from serving_signatures.export.saved_model import export_saved_model
from tests import synthetic
from tests.serving_signatures import serving


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("exported") / "ctr")
    sets = synthetic.embedding_sets()
    exported = export_saved_model(serving.random_model(), folder, sets, batch_sizes=(1,))
    return os.path.dirname(exported.folder)


@pytest.mark.slow(seconds=20)
def test_memory_stays_under_load(saved_model):
    report = serving_load.measure(saved_model, seconds=20, concurrency=2)
    assert report["requests"] > 10
    assert report["refused"] > 0
    assert set(report["latency_ms"]) == {"score_request", "score_cached"}
    assert report["counts"]["id_projections.hits"] > 0
    assert report["counts"]["id_projections.misses"] > 0
    rss = report["rss_mib"]
    # A leak of one request's tensors, about a mebibyte, would be ten times as much.
    assert report["growth_mib"] < 0.1 * rss["after_warmup"], rss
    assert np.ptp(rss["samples"][len(rss["samples"]) // 2 :]) < 0.1 * rss["end"], rss


@pytest.mark.slow(seconds=20)
def test_what_a_request_log_costs_is_measured_against_none(saved_model):
    report = request_log.measure(saved_model, seconds=1)
    ways = [(row["rate"], row["signature"]) for row in report["rows"]]
    signatures = ("score_request", "score_cached")
    assert ways == [(rate, name) for name in signatures for rate in (0.0, 0.01, 1.0)]
    for row in report["rows"]:
        assert row["requests"] >= 50
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["p99_ratio_low"] <= row["p99_ratio"] <= row["p99_ratio_high"]
        assert row["rate"] or row["p50_ratio"] == row["p99_ratio_high"] == 1
    sampled, every = report["logs"]
    assert sampled["counts"].get("log.written", 0) < every["counts"]["log.written"]
    assert [one["rate"] for one in report["processor"]] == [0.0, 0.01, 1.0]
    assert report["processor"][0]["ratio"] == 1
    assert 0 < every["offer_us"]["p50"] <= every["offer_us"]["p99"]


def test_a_folder_without_a_model_is_refused(tmp_path):
    shutil.rmtree(tmp_path)
    with pytest.raises(UserInputError, match="nothing to serve"):
        serving_load.measure(str(tmp_path), seconds=1, concurrency=1)
